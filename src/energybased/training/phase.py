"""A training is a list of phases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from energybased.errors import require
from energybased.objectives import Objective
from energybased.objectives.objective import Parts


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one objective.

    Args:
        objective: what is minimised.
        steps: updates at the most.
        minutes: wall time at the most; None for no limit.
        begin: called with the parts when the phase begins (not when it is resumed).
        done: reads the averaged metrics of the last steps; True ends the phase.
    """

    objective: Objective
    steps: int
    minutes: float | None = None
    begin: Callable[[Parts], None] | None = None
    done: Callable[[dict[str, float]], bool] | None = None

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.minutes is None or self.minutes > 0, f"minutes must be positive, got {self.minutes}")
