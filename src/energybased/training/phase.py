"""A training is a list of phases."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from energybased.errors import require
from energybased.objectives import Objective


@dataclass(frozen=True)
class Phase:
    """A part of a training, with one objective.

    Args:
        objective: what is minimised.
        steps: updates at the most; None for no limit.
        minutes: wall time at the most; None for no limit.
        done: reads the averaged metrics of the last steps; True ends the phase.
        restart_from_ema: parts that begin the phase at their averaged weights, with a new average and a new
            optimiser.
        rates: learning rates of parts, in multiples of that of the training; 1 where not given.
        data: the phase's own data, anything that training takes; the training's data if not given.
    """

    objective: Objective
    steps: int | None
    minutes: float | None = None
    done: Callable[[dict[str, float]], bool] | None = None
    restart_from_ema: tuple[str, ...] = ()
    rates: Mapping[str, float] = field(default_factory=dict)
    data: Any = None

    def __post_init__(self) -> None:
        require(self.steps is not None or self.minutes is not None, "a phase needs a budget in steps or in minutes")
        require(self.steps is None or self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(all(0 < rate < math.inf for rate in self.rates.values()), f"rates must be positive, got {self.rates}")
        require(self.minutes is None or self.minutes > 0, f"minutes must be positive, got {self.minutes}")

    def spent(self, steps: int, seconds: float) -> float:
        """The part of the budget that is spent; 1 or more when it is over."""
        by_steps = 0.0 if self.steps is None else steps / self.steps
        by_time = 0.0 if self.minutes is None else seconds / (60 * self.minutes)
        return max(by_steps, by_time)


def progress(phases: Sequence[Phase], current: int, spent: float) -> float:
    """The part of all budgets that is spent, in [0, 1], when `spent` of the current phase's is.

    Budgets of different kinds cannot be compared; all phases then count as equal.
    """
    steps = [float(phase.steps) for phase in phases if phase.steps is not None]
    minutes = [phase.minutes for phase in phases if phase.minutes is not None]
    alike = next((sizes for sizes in (steps, minutes) if len(sizes) == len(phases)), None)
    shares = alike or [1.0] * len(phases)
    return (sum(shares[:current]) + min(spent, 1.0) * shares[current]) / sum(shares)
