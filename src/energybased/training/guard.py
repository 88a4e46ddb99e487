"""The guard: watches the vitals of training, and restores a snapshot when they leave their ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from energybased.objectives import Vital

SNAPSHOT_EVERY = 100  # steps between two snapshots
RING = 3  # snapshots kept
CONFIRM = 100  # a snapshot is trusted once training stayed healthy for so many steps after it
SLOWDOWN = 0.2  # factor on the learning rate at each rollback
REGROWTH = 1.1  # factor at each healthy window after a rollback but the last, up to half of what tripped
ROLLBACKS = 3  # after so many, the next trip ends the training
ADVICE = "lower the learning rate, or the step size of the sampler"  # where training could not be kept healthy


def unhealthy(metrics: Mapping[str, float], vitals: Sequence[Vital], step: int) -> str | None:
    """Why these averaged metrics are not healthy, as a sentence; None if they are."""
    for name, value in metrics.items():
        if not math.isfinite(value):
            return f"{name} is not finite"
    for vital in vitals:
        if not vital.healthy(metrics[vital.name], step):
            return f"{vital.name} is {metrics[vital.name]:.4g}, outside {vital.low:g} ... {vital.high:g}"
    return None


class Held(NamedTuple):
    """A snapshot and the step it was taken at."""

    step: int
    snapshot: dict[str, Any]


class Ring:
    """The last few snapshots of a training, and which of them to restore."""

    def __init__(self, held: Sequence[Held] = ()) -> None:
        self.held = list(held)

    def due(self, step: int) -> bool:
        return not self.held or step - self.held[-1].step >= SNAPSHOT_EVERY

    def keep(self, step: int, snapshot: dict[str, Any]) -> None:
        self.held = [*self.held[-(RING - 1) :], Held(step, snapshot)]

    def back(self, step: int) -> Held:
        """The newest snapshot after which training stayed healthy for long enough, else the oldest. Later ones go."""
        while len(self.held) > 1 and step - self.held[-1].step < CONFIRM:
            self.held.pop()
        return self.held[-1]
