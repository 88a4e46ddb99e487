"""What an objective is: what is minimised, for which parts, and how to tell that it is going well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn

from energybased.data.domain import AnyDomain, Reals
from energybased.energy import Condition

Parts = Mapping[str, nn.Module]
State = dict[str, Tensor]


class Batch(NamedTuple):
    """A batch of training data.

    Args:
        x: `(batch, *event)`, in the model's units.
        y: conditions of the rows: class numbers `(batch,)`, real vectors `(batch, *shape)`, or a tuple of such.
        held_out: boolean `(batch,)`, True for rows that are measured but must not be learned from.
        domain: what the values of x are.
    """

    x: Tensor
    y: Condition | None = None
    held_out: Tensor | None = None
    domain: AnyDomain = Reals()

    def starts(self, n: int, rng: Generator) -> Tensor:
        """n fresh starts of chains `(n, *event)` in the dtype of x, on the device of the generator."""
        return self.domain.start(n, self.x.shape[1:], rng, self.x.dtype)


class Result(NamedTuple):
    """What one step of an objective gives.

    Args:
        losses: a 0-d loss for each part that learns; parts may share one.
        state: the objective's state after the step.
        metrics: 0-d tensors to be logged.
    """

    losses: dict[str, Tensor]
    state: State
    metrics: dict[str, Tensor]


class Vital(NamedTuple):
    """A metric and the range in which training is healthy; the guard goes back when it leaves its range.

    Args:
        name: of the metric.
        low: smallest healthy value.
        high: largest healthy value.
        warmup: steps of a phase before which any value is healthy.
        advice: what to change when the metric leaves its range.
    """

    name: str
    low: float
    high: float
    warmup: int
    advice: str

    def healthy(self, value: float, step: int) -> bool:
        """Whether a value of the metric at this step of the phase is healthy."""
        return step < self.warmup or self.low <= value <= self.high


class Objective(Protocol):
    """What is minimised: `init` once a phase, then `step` after step.

    All state is the flat dictionary of tensors that goes in and out, and is part of every checkpoint. A replay buffer
    lives on the processor.
    """

    @property
    def vitals(self) -> tuple[Vital, ...]:
        """What the guard watches; may be empty."""
        ...

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        """The state before the first step; `batch` is one batch of the data, for its shapes and types."""
        ...

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        """Losses and metrics of one update."""
        ...


@runtime_checkable
class Refreshing(Protocol):
    """An objective whose state may itself have spoilt a training, such as a replay buffer of diverged chains."""

    def refresh(self, state: State, batch: Batch, rng: Generator) -> State:
        """The state after a rollback, with a part of it made anew."""
        ...


def scalar(value: Tensor) -> Tensor:
    """A metric: detached, 0-d, in float32."""
    return value.detach().to(torch.float32)
