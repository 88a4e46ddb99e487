"""Equilibrium Matching, which trains one energy whose minima are data (Wang & Du 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator

from energybased.errors import require
from energybased.objectives.gradient_matching import GradientMatching, gradient_error, starts
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar


@dataclass(frozen=True)
class EquilibriumMatching(GradientMatching):
    """mean |grad E(x_t) - c(t) (z - x)|^2 / d at x_t = (1 - t) z + t x, with t uniform in [0, 1] (Wang & Du 2025).

    z is noise at which fresh chains begin. c(t) = scale min(1, (1 - t) / (1 - knee)) is 0 at data, so that
    data are minima of E, and samples are found by descent from noise. exp(-E) is not the density of the data, and in
    few dimensions, or where data fill a region, the directions at one x_t cancel: the descent then ends between data.

    Args:
        scale: the largest factor c.
        knee: the t from which c falls.

    Raises:
        UserError: for settings out of range.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (Vital("loss", 0.0, 1000.0, 20, "lower the learning rate"),)

    scale: float = 4.0
    knee: float = 0.8

    def __post_init__(self) -> None:
        require(self.scale > 0, f"scale must be positive, got {self.scale}")
        require(0 <= self.knee < 1, f"knee must be in [0, 1), got {self.knee}")

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        x = batch.x
        noise, times = starts(parts, batch, rng)
        factor = self.scale * ((1 - times) / (1 - self.knee)).clamp(max=1)
        loss = gradient_error(parts, batch, (1 - times) * noise + times * x, factor * (noise - x))
        return Result({"energy": loss}, state, {"loss": scalar(loss)})
