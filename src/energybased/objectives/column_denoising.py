"""Denoising of tables, whose noise has one level for each column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator

from energybased.networks.column_denoiser import ColumnDenoiser
from energybased.objectives.objective import Batch, Parts, Result, State, Stateless, Vital, scalar


@dataclass(frozen=True)
class ColumnDenoising(Stateless):
    """mean |F(x + sigma e) - e|^2 / d, e from N(0, I), for the part "denoiser" (Vincent 2011).

    sigma has one entry for each column. At its optimum, F is sigma times the gradient of -log p, where p is the density
    of rows with this noise.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (Vital("denoising", 0.0, 3.0, 20, "lower the learning rate"),)

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        denoiser, x = parts["denoiser"], batch.x
        assert isinstance(denoiser, ColumnDenoiser)
        noise = torch.randn(x.shape, generator=rng, device=rng.device).to(x)
        loss = (denoiser(x + denoiser.sigma * noise) - noise).square().mean()
        return Result({"denoiser": loss}, state, {"denoising": scalar(loss)})
