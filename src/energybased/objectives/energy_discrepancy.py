"""Energy discrepancy: an energy learned without chains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator

from energybased.conditions import mapped
from energybased.energies import as_energy
from energybased.errors import require
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar


@dataclass(frozen=True)
class EnergyDiscrepancy:
    """Schröder et al. 2023: mean_i log(w/M + 1/M sum_j exp(E(x_i) - E(x_i + s e_i + s e_ij))), e of N(0, I).

    Data against their own surroundings: between score matching (s to 0) and maximum likelihood (s large). It takes
    M + 1 energies an example, no gradient in x, and no chain; best in few dimensions, where the surroundings of the
    data cover what must be told from them.

    Args:
        noise: s, in units of x.
        particles: M.
        stabiliser: w, which bounds the loss from below; some of it biases the energy a little towards flat.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (Vital("loss", -100.0, 100.0, 20, "lower the learning rate"),)

    noise: float = 0.5
    particles: int = 16
    stabiliser: float = 1.0

    def __post_init__(self) -> None:
        require(self.noise > 0, f"noise must be positive, got {self.noise}")
        require(self.particles >= 1, f"particles must be at least 1, got {self.particles}")
        require(self.stabiliser > 0, f"stabiliser must be positive, got {self.stabiliser}")

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        return {}

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
