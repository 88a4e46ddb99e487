"""Energy discrepancy, which trains an energy without chains (Schröder et al. 2023)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator

from energybased.conditions import mapped
from energybased.energies import as_energy
from energybased.errors import require
from energybased.objectives.objective import Batch, Parts, Result, State, Stateless, Vital, scalar


@dataclass(frozen=True)
class EnergyDiscrepancy(Stateless):
    """mean_i log(w/M + 1/M sum_j exp(E(x_i) - E(x_i + s e_i + s e_ij))), with e from N(0, I) (Schröder et al. 2023).

    The loss compares data with noisy copies of themselves. It is close to score matching for small s, and to maximum
    likelihood for large s. It evaluates M + 1 energies per example, no gradient in x, and no chain. It works best in
    few dimensions, where the noisy copies cover the region around the data.

    Args:
        noise: s, in units of x.
        particles: M, the noisy copies per example.
        stabiliser: w, which bounds the loss from below, and biases the energy slightly towards a constant.

    Raises:
        UserError: for settings out of range.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (Vital("loss", -100.0, 100.0, 20, "lower the learning rate"),)

    noise: float = 0.5
    particles: int = 16
    stabiliser: float = 1.0

    def __post_init__(self) -> None:
        require(self.noise > 0, f"noise must be positive, got {self.noise}")
        require(self.particles >= 1, f"particles must be at least 1, got {self.particles}")
        require(self.stabiliser > 0, f"stabiliser must be positive, got {self.stabiliser}")

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        energy, x = as_energy(parts["energy"]), batch.x
        here = energy(x, batch.y)
        shape = (len(x), self.particles, *x.shape[1:])
        shared, own = (torch.randn(s, generator=rng, dtype=x.dtype, device=rng.device) for s in (x.shape, shape))
        around = (x[:, None] + self.noise * (shared[:, None] + own).to(x)).flatten(0, 1)
        y = mapped(batch.y, lambda part: part.repeat_interleave(self.particles, dim=0))
        there = energy(around, y).unflatten(0, (-1, self.particles))
        stabiliser = torch.full_like(here, math.log(self.stabiliser))[:, None]
        loss = (torch.cat([stabiliser, here[:, None] - there], 1).logsumexp(1) - math.log(self.particles)).mean()
        metrics = {"loss": scalar(loss), "gap": scalar(here.mean() - there.mean())}
        return Result({"energy": loss}, state, metrics)
