"""Hamiltonian Monte Carlo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from energybased.broadcast import per_row
from energybased.energy import Energy
from energybased.errors import require
from energybased.sampling.kernel import Bounds, Info, State, check_bounds, check_positive, valued
from energybased.sampling.mala import accept, choose
from energybased.sampling.streams import Streams


def reflect(x: Tensor, momentum: Tensor, bounds: Bounds) -> tuple[Tensor, Tensor]:
    """Reflects x `(batch, *event)` at the bounds until it is inside; each reflection changes the momentum's sign."""
    low, width = bounds[0], bounds[1] - bounds[0]
    laps = (x - low) / width
    odd = laps.floor().remainder(2) == 1
    inside = laps - laps.floor()
    return low + width * inside.lerp(1 - inside, odd.to(x.dtype)), momentum.where(~odd, -momentum)


@dataclass(frozen=True)
class HMC:
    """Leapfrog trajectories with unit mass and fresh momenta (Neal 2011); exp(-E) is exactly invariant.

    If the length of all trajectories is near a period of the dynamics, chains hardly move although every proposal is
    accepted. So each transition of each chain draws u ~ U(0, 1) and takes steps of step_size (1 - jitter u). Then the
    density pi = exp(-E) / Z stays invariant: the kernel K_u leaves pi invariant for every u, and u is independent of
    the state, so pi (integral of K_u du) = integral of pi K_u du = pi (Neal 2011, section 3.2).

    Args:
        step_size: the longest leapfrog step, in units of x.
        leapfrog_steps: leapfrog steps per transition; each evaluates one gradient.
        bounds: (low, high), at which trajectories are reflected.
        jitter: in [0, 1), the largest fraction by which a step is shortened; 0 is the plain method.

    Raises:
        UserError: for settings out of range, and if a chain starts outside the bounds.

    >>> HMC(step_size=0.1, leapfrog_steps=10)
    HMC(step_size=0.1, leapfrog_steps=10, bounds=None, jitter=0.5)
    """

    optimal_acceptance: ClassVar[float] = 0.651  # Beskos et al. 2013
    compilable: ClassVar[bool] = True

    step_size: float
    leapfrog_steps: int
    bounds: Bounds | None = None
    jitter: float = 0.5

    def __post_init__(self) -> None:
        check_positive(step_size=self.step_size)
        require(self.leapfrog_steps >= 1, f"leapfrog_steps must be at least 1, got {self.leapfrog_steps}")
        require(0 <= self.jitter < 1, f"jitter must be in [0, 1), got {self.jitter}")
        check_bounds(self.bounds)

    def init(self, energy: Energy, x: Tensor) -> State:
        return valued(energy, x, self.bounds)

    def step(self, energy: Energy, state: State, generator: Generator | Streams | None) -> tuple[State, Info]:
        x, value, grad, _ = state
        assert value is not None and grad is not None
        streams = Streams.of(generator, x)
        momentum = streams.normal(x)
        step: float | Tensor = self.step_size
        if self.jitter:
            step = self.step_size * per_row(1 - self.jitter * streams.uniform(x), x)
        half = 0.5 * step
        start = momentum.square().flatten(1).sum(1) / 2
        new_value = value
        for _ in range(self.leapfrog_steps):
            momentum = momentum - half * grad
            x = x + step * momentum
            if self.bounds is not None:
                x, momentum = reflect(x, momentum, self.bounds)
            x = energy.project(x)
            new_value, grad = energy.value_and_grad(x)
            momentum = momentum - half * grad
        log_ratio = value - new_value + start - momentum.square().flatten(1).sum(1) / 2
        moved, probability = accept(log_ratio, state, x, streams)
        after = choose(moved, State(x, new_value, grad), state)
        return after, Info(grad, after.value, probability)
