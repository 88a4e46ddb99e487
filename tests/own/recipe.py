"""A recipe of one's own, with a network of its own settings, which the command line trains by name."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

import energybased as eb
from energybased.recipes import RECIPES, EnergyRecipe


class Bumps(nn.Module):
    """A weighted sum of sigmoids of x, with a learned width."""

    def __init__(self, dim, count):
        super().__init__()
        self.inner, self.outer = nn.Linear(dim, count), nn.Linear(count, 1)

    def forward(self, x, y=None):
        return self.outer(self.inner(x.flatten(1)).sigmoid())[:, 0]


@dataclass(frozen=True)
class BumpSettings:
    """Settings of `Bumps`.

    Args:
        count: of sigmoids.
        scales: written and read again, and not used.
    """

    count: int = 16
    scales: list[float] | None = None

    def build(self, event, conditions=()):
        return Bumps(math.prod(event), self.count)


@dataclass(frozen=True)
class TwoStretches(EnergyRecipe):
    """Trains by energy discrepancy, and then by contrastive divergence.

    Args:
        first: part of the steps that energy discrepancy has.
    """

    recipe: str = "stretches"
    data: str = ""
    data_noise: float = 0.1
    network: BumpSettings = BumpSettings()
    sampler: eb.Sampler = eb.Sampler(eb.Underdamped(0.08, 0.8), steps=5, length=50)
    first: float = 0.5

    def phases(self, data):
        cut = round(self.first * self.steps)
        objectives = eb.EnergyDiscrepancy(particles=4), self.learning(data.spec)
        return [eb.Phase(o, steps) for o, steps in zip(objectives, (cut, self.steps - cut), strict=True)]


def stretches(**changes):
    """Two stretches of training on your own table."""
    return TwoStretches(**changes)


RECIPES["stretches"] = stretches
