"""The Metropolis-adjusted Langevin algorithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from energybased.broadcast import per_row
from energybased.energy import Energy
from energybased.sampling.kernel import Bounds, Info, State, check_bounds, check_positive, valued
from energybased.sampling.streams import Streams


def accept(log_ratio: Tensor, old: State, proposal: Tensor, streams: Streams) -> tuple[Tensor, Tensor]:
    """The Metropolis decision: which chains accept their proposal, and the acceptance probabilities, both `(batch,)`.

    A proposal has diverged if it is not finite although the old energy and gradient are finite. It is rejected. Any
    other NaN is accepted, so that a broken energy shows in the samples. A rejection would hide it.

    Args:
        log_ratio: logarithm of the Metropolis ratio, `(batch,)`.
        old: the state before the proposal.
        proposal: `(batch, *event)`.
        streams: source of the uniform random numbers.
    """
    assert old.value is not None and old.grad is not None
    sound = old.value.isfinite() & old.grad.isfinite().flatten(1).all(1)
    diverged = sound & ~proposal.isfinite().flatten(1).all(1)
    probability = log_ratio.masked_fill(diverged, -torch.inf).clamp(max=0).exp()
    return ~(streams.uniform(log_ratio) >= probability), probability


def choose(moved: Tensor, new: State, old: State) -> State:
    """The new state for chains that moved, `(batch,)`, and the old state for the others."""

    def pick(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(per_row(moved, a), a, b)

    assert new.value is not None and old.value is not None and new.grad is not None and old.grad is not None
    return State(pick(new.x, old.x), pick(new.value, old.value), pick(new.grad, old.grad))


def outside(x: Tensor, bounds: Bounds) -> Tensor:
    """Whether each row of x `(batch, *event)` has an entry outside the bounds, `(batch,)`."""
    return ((x < bounds[0]) | (x > bounds[1])).flatten(1).any(1)


@dataclass(frozen=True)
class MALA:
    """Langevin proposals, accepted or rejected so that exp(-E) is exactly invariant (Roberts & Tweedie 1996).

    The proposal is x - step_size^2/2 grad E(x) + step_size eps. It is rejected outside the bounds. A step evaluates one
    gradient.

    Args:
        step_size: standard deviation of the proposal's noise, in units of x.
        bounds: (low, high), outside which the density is zero.

    Raises:
        UserError: for settings out of range, and if a chain starts outside the bounds.
    """

    optimal_acceptance: ClassVar[float] = 0.574  # Roberts & Rosenthal 1998
    compilable: ClassVar[bool] = True

    step_size: float
    bounds: Bounds | None = None

    def __post_init__(self) -> None:
        check_positive(step_size=self.step_size)
        check_bounds(self.bounds)

    def init(self, energy: Energy, x: Tensor) -> State:
        return valued(energy, x, self.bounds)

    def step(self, energy: Energy, state: State, generator: Generator | Streams | None) -> tuple[State, Info]:
        x, value, grad, _ = state
        assert value is not None and grad is not None
        streams, drift = Streams.of(generator, x), 0.5 * self.step_size**2
        proposal = energy.project(x - drift * grad + self.step_size * streams.normal(x))
        new = State(proposal, *energy.value_and_grad(proposal))
        assert new.value is not None and new.grad is not None

        def log_q(to: Tensor, start: Tensor, gradient: Tensor) -> Tensor:
            return -((to - start + drift * gradient) / self.step_size).square().flatten(1).sum(1) / 2

        log_ratio = value - new.value + log_q(x, proposal, new.grad) - log_q(proposal, x, grad)
        if self.bounds is not None:
            log_ratio = log_ratio.masked_fill(outside(proposal, self.bounds), -torch.inf)
        moved, probability = accept(log_ratio, state, proposal, streams)
        after = choose(moved, new, state)
        return after, Info(new.grad, after.value, probability)
