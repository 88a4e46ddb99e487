"""The interface of a kernel: one transition of a Markov chain, with explicit state."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Generator, Tensor

from energybased.energy import Energy
from energybased.errors import UserError, require
from energybased.sampling.streams import Streams

Bounds = tuple[float, float]


class State(NamedTuple):
    """The state of the chains, with what the next transition can reuse of the last one."""

    x: Tensor  # (batch, *event)
    value: Tensor | None = None  # E(x), (batch,)
    grad: Tensor | None = None  # the gradient of E at x, like x
    momentum: Tensor | None = None  # like x, if the kernel has one


class Info(NamedTuple):
    """What one transition reports."""

    acceptance: Tensor  # probability with which each chain's proposal is accepted, (batch,)
    gradient: Tensor  # Euclidean norm of the last gradient that the transition evaluated, (batch,)
    energy: Tensor | None = None  # E of the new state or, for Langevin, where the gradient was evaluated, (batch,)


class Kernel(Protocol):
    """One MCMC transition, as a frozen dataclass: `init` once, then `step` after `step`.

    `sample` and `advance` pass their `Streams` as `generator`, which are a `torch.Generator`: a kernel can hand them to
    torch's functions, or call their `normal` and `uniform`. With `Streams.of(generator, x)`, it accepts any generator.
    Called on its own in grad mode, a step is differentiable in x and in the energy's parameters. `sample` runs under
    `torch.no_grad()`.
    """

    def init(self, energy: Energy, x: Tensor) -> State: ...

    def step(self, energy: Energy, state: State, generator: Generator | Streams | None) -> tuple[State, Info]: ...


def valued(energy: Energy, x: Tensor, bounds: Bounds | None = None) -> State:
    """The state at x, with its energy and gradient.

    Raises:
        UserError: if x is outside the bounds, where the density is zero.
    """
    x = energy.project(x)
    if bounds is not None and bool(((x < bounds[0]) | (x > bounds[1])).any()):
        raise UserError(f"chains cannot start outside the bounds {bounds}")
    return State(x, *energy.value_and_grad(x))


def norms(grad: Tensor) -> Tensor:
    """Euclidean norm of each row, `(batch,)`."""
    return grad.flatten(1).norm(dim=1)


def check_positive(**settings: float) -> None:
    for name, value in settings.items():
        require(value > 0 and value < float("inf"), f"{name} must be positive and finite, got {value}")


def check_bounds(bounds: Bounds | None) -> None:
    require(bounds is None or bounds[0] < bounds[1], f"bounds must be (low, high) with low < high, got {bounds}")
