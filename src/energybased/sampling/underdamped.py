"""Underdamped Langevin dynamics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from energybased.energy import Energy
from energybased.errors import require
from energybased.sampling.kernel import Info, State, check_positive, valued
from energybased.sampling.streams import Streams


@dataclass(frozen=True)
class Underdamped:
    """Kinetic Langevin dynamics of unit mass at temperature 1, in BAOAB order (Leimkuhler & Matthews 2013).

    With h = step_size: p <- p - h/2 grad E(x), x <- x + h/2 p, p <- c p + sqrt(1 - c^2) eps, x <- x + h/2 p,
    p <- p - h/2 grad E(x). A step evaluates one gradient. The number of steps to cross a narrow valley is proportional
    to the square root of the condition number; for overdamped chains it is proportional to the condition number.

    There is no Metropolis correction. Nevertheless, the positions of a Gaussian are sampled exactly at every stable
    step size, step_size < 2 x the smallest standard deviation, if the momentum is kept between calls (see `Samples`).
    The stationary variance of the momentum is below 1, so momenta that are drawn anew increase the variance of the
    positions.

    Args:
        step_size: in units of x.
        persistence: c in [0, 1), the correlation of the momentum over one step; 0 is overdamped.

    Raises:
        UserError: for settings out of range.
    """

    inertial: ClassVar[bool] = True
    compilable: ClassVar[bool] = True

    step_size: float
    persistence: float = 0.9

    def __post_init__(self) -> None:
        check_positive(step_size=self.step_size)
        require(0 <= self.persistence < 1, f"persistence must be in [0, 1), got {self.persistence}")

    def init(self, energy: Energy, x: Tensor) -> State:
        return valued(energy, x)

    def step(self, energy: Energy, state: State, generator: Generator | Streams | None) -> tuple[State, Info]:
        x, value, grad, momentum = state
        assert value is not None and grad is not None
        streams = Streams.of(generator, x)
        if momentum is None:
            momentum = streams.normal(x)
        half = 0.5 * self.step_size
        momentum = momentum - half * grad
        x = x + half * momentum
        momentum = self.persistence * momentum + math.sqrt(1 - self.persistence**2) * streams.normal(x)
        x = energy.project(x + half * momentum)
        value, grad = energy.value_and_grad(x)
        momentum = momentum - half * grad
        return State(x, value, grad, momentum), Info(grad, value)
