"""A recipe of one's own, whose energy is a density that is known, so that estimates of log Z can be compared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

import energybased as eb
from energybased.data import from_arrays
from energybased.recipes import RECIPES, EnergyRecipe

OFFSET = 7.0


class Offset(eb.IsotropicMixture):
    """A mixture of five Gaussians over eight entries, plus 7 nats, with a parameter that does nothing."""

    def __init__(self):
        rng = torch.Generator().manual_seed(0)
        super().__init__(2 * torch.randn(5, 8, generator=rng), 0.8)
        self.idle = nn.Parameter(torch.zeros(()))

    @property
    def log_z(self):
        return super().log_z - OFFSET

    def forward(self, x, y=None):
        return super().forward(x) + OFFSET + 0 * self.idle


@dataclass(frozen=True)
class Known(EnergyRecipe):
    """One update that changes nothing."""

    recipe: str = "known"
    data: str = "known"
    base: str = "none"
    steps: int = 1
    batch_size: int = 32
    sampler: eb.Sampler = eb.Sampler(eb.Underdamped(0.1), steps=1, length=2)

    def load_data(self):
        x = Offset().sample(3000, torch.Generator().manual_seed(1)).detach()
        return self.prepare(replace(from_arrays("known", x), domain=eb.Reals()))

    def parts(self, data):
        return self.build(data.spec)

    def build(self, spec):
        return {"energy": Offset()}


RECIPES["known"] = Known
