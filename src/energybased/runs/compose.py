"""Energies of one class each, trained apart and sampled together."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from energybased.energy import Energy
from energybased.evaluation.judge import Judge
from energybased.recipes import digits
from energybased.runs.model import Model, load
from energybased.runs.train import train
from energybased.sampling import ReplayBuffer, sample
from energybased.tasks.denoise import denoise

SMALLER = {"steps": 400, "batch_size": 64, "buffer": ReplayBuffer(capacity=256)}  # for a hundred examples a class


def compose(pair: tuple[int, int], folder: Path, seed: int, judge: Judge) -> dict[str, Tensor]:
    """Samples `(64, *event)` of one class or the other, and of both at once, by what the judge says of them.

    "or" is the mixture of the two energies, each weighed by its own unknown Z; "and" their product of experts, each
    to the power 1/2 so that the noise, which both know, counts once.
    """
    models: list[Model] = []
    for digit in pair:
        run = train(digits(seed=seed, only=(digit,), **SMALLER), out=folder / f"class-{digit}", overwrite=True)
        models.append(load(run.path))
    a, b = (model.energy for model in models)
    names = {f"{pair[0]} or {pair[1]}": a | b, f"{pair[0]} and {pair[1]}": 0.5 * a + 0.5 * b}
    composed = {}
    for name, energy in names.items():
        x = _draw(energy, models[0], seed)
        found = judge.probabilities(x).argmax(1)
        shares = ", ".join(f"{(found == digit).float().mean():.0%} a {digit}" for digit in pair)
        composed[f"{name}: to the judge {shares}"] = x
    return composed


def _draw(energy: Energy, model: Model, seed: int) -> Tensor:
    sampler = model.recipe.sampler
    generator = torch.Generator().manual_seed(seed)
    x = sample(energy, model.start(64, seed), sampler.kernel, sampler.length, generator).x
    return denoise(energy, x, model.recipe.data_noise).clamp(0, 1)
