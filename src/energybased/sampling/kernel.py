"""The protocol of a kernel: one transition of Markov chains, with explicit state."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Generator, Tensor

from energybased.energy import Energy, Rows
from energybased.errors import UserError, require
from energybased.sampling.streams import Streams

Bounds = tuple[float, float]


class State(NamedTuple):
    """The state of the chains, with the results of the last transition that the next one can reuse.

    Args:
        x: the positions, `(batch, *event)`.
        value: E(x), `(batch,)`.
        grad: the gradient of E at x, `(batch, *event)`.
        momentum: `(batch, *event)`, if the kernel has one.
    """

    x: Tensor
    value: Tensor | None = None
    grad: Tensor | None = None
    momentum: Tensor | None = None

    def select(self, rows: Rows) -> State:
        """The state of these chains."""
        return State(self.x[rows], *(None if leaf is None else leaf[rows] for leaf in self[1:]))


class Info(NamedTuple):
    """Statistics of one transition.

    Args:
        gradient: the last gradient of E that the transition evaluated, `(batch, *event)`; None if it takes none.
        energy: E of the new state, `(batch,)`; for `Langevin`, E where the gradient was evaluated. None if unknown.
        acceptance: probability with which the proposal of each chain is accepted, `(batch,)`; None if the kernel
            accepts every proposal.
    """

    gradient: Tensor | None = None
    energy: Tensor | None = None
    acceptance: Tensor | None = None


class Kernel(Protocol):
    """One MCMC transition, as a frozen dataclass. `init` is called once, and `step` for every transition.

    `sample` and `advance` pass their `Streams` as `generator`. `Streams` are a `torch.Generator`, so that a kernel can
    pass them to torch's functions; it can also call their `normal` and `uniform`. A kernel that calls
    `Streams.of(generator, x)` accepts any generator. Outside of `sample`, which runs under `torch.no_grad()`, a step is
    differentiable in x and in the parameters of the energy.
    """

    def init(self, energy: Energy, x: Tensor) -> State:
        """The first state of chains at x, `(batch, *event)`.

        Raises:
            UserError: for MALA and HMC, if a chain starts outside the bounds.
        """
        ...

    def step(self, energy: Energy, state: State, generator: Generator | Streams | None) -> tuple[State, Info]:
        """The state after one transition of every chain, and its statistics.

        Args:
            energy: the energy of the target density exp(-E).
            state: the state before the transition.
            generator: source of random numbers; torch's global generator if None.
        """
        ...


def valued(energy: Energy, x: Tensor, bounds: Bounds | None = None) -> State:
    """The state at x, `(batch, *event)`, with its energies and gradients.

    Raises:
        UserError: if x is outside the bounds, where the density is zero.
    """
    x = energy.project(x)
    if bounds is not None and bool(((x < bounds[0]) | (x > bounds[1])).any()):
        raise UserError(f"chains cannot start outside the bounds {bounds}")
    return State(x, *energy.value_and_grad(x))


def norms(grad: Tensor) -> Tensor:
    """Euclidean norm `(batch,)` of each row of a gradient `(batch, *event)`."""
    return grad.flatten(1).norm(dim=1)


def check_positive(**settings: float) -> None:
    for name, value in settings.items():
        require(value > 0 and value < float("inf"), f"{name} must be positive and finite, got {value}")


def check_bounds(bounds: Bounds | None) -> None:
    require(bounds is None or bounds[0] < bounds[1], f"bounds must be (low, high) with low < high, got {bounds}")
