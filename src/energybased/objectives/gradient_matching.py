"""Matching the gradient of an energy to a direction; what the objectives without levels of noise share."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from energybased.energies import as_energy
from energybased.objectives.objective import Batch, Parts, State, Stateless
from energybased.objectives.second_derivatives import check_second_derivatives


class GradientMatching(Stateless):
    """Base class of objectives that match the gradient of an energy, which must be differentiable twice."""

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        check_second_derivatives(as_energy(parts["energy"]), batch.x, batch.y)
        return {}


def starts(parts: Parts, batch: Batch, rng: Generator) -> tuple[Tensor, Tensor]:
    """Noise `(batch, *event)` as fresh chains begin at, and times uniform in [0, 1], `(batch, 1, ...)`.

    Chains over real numbers begin at standard normal noise, in the model's units, and those over pixels at uniform
    noise.
    """
    x = batch.x
    noise = batch.starts(as_energy(parts["energy"]), len(x), rng).to(x)
    times = torch.rand((len(x), *[1] * (x.ndim - 1)), generator=rng, device=rng.device).to(x)
    return noise, times


def gradient_error(parts: Parts, batch: Batch, x: Tensor, target: Tensor) -> Tensor:
    """mean |grad E(x) - target|^2 / d, 0-d, for x and targets `(batch, *event)`, differentiable in the weights."""
    grad = as_energy(parts["energy"]).value_and_grad(x.requires_grad_(), batch.y)[1]
    return (grad - target).square().mean()
