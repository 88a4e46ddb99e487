"""The way from noise to samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from energybased.latent import LatentModel
from energybased.runs.model import Model

CHAINS, FRAMES = 8, 12


def film(model: Model | LatentModel, seed: int = 0) -> Tensor:
    """The way of eight chains from noise, `(8, frames, *event)`, at steps that grow by one factor.

    The last frame shows the chain's end once more, with its noise taken off. A latent model has a frame for the base,
    and one for the prior after each stage.
    """
    if isinstance(model, LatentModel):
        return model.stages(CHAINS, seed).transpose(0, 1)
    length = model.recipe.sampler.length
    start = model.start(CHAINS, seed)
    trace = model.run_chains(start, seed=seed, keep_every=1).trace
    assert trace is not None
    path = torch.cat([start[None], trace])
    at = torch.logspace(0, math.log10(length + 1.0), FRAMES - 1).round().long() - 1
    return torch.cat([path[at], model.denoise(path[-1])[None]]).transpose(0, 1).clamp(0, 1)
