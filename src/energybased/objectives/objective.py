"""The protocol of an objective: the losses of the parts, and the metrics that show whether training is healthy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn

from energybased.data.domain import AnyDomain, Reals
from energybased.energy import Condition, Energy
from energybased.sampling import fresh_starts

Parts = Mapping[str, nn.Module]
State = dict[str, Tensor]


class Batch(NamedTuple):
    """A batch of training data.

    Args:
        x: `(batch, *event)`, in the model's units.
        y: conditions of the rows: class numbers `(batch,)`, real vectors `(batch, *shape)`, or a tuple of these.
        held_out: boolean `(batch,)`, True for held-out rows. They are for measurements, and give no gradient.
        domain: kind of the values of x: pixels or real numbers.
        shards: number of shards that the whole batch of an update is cut into; this batch is one of them.
    """

    x: Tensor
    y: Condition | None = None
    held_out: Tensor | None = None
    domain: AnyDomain = Reals()
    shards: int = 1

    def starts(self, energy: Energy, n: int, rng: Generator) -> Tensor:
        """n fresh starts of chains, `(n, *event)`, in the dtype of x and on the device of the generator."""
        return fresh_starts(energy, self.domain, n, self.x.shape[1:], rng, self.x.dtype)


class Result(NamedTuple):
    """The result of one step of an objective.

    Args:
        losses: a 0-d loss for each part that is trained; several parts may share a loss.
        state: the state of the objective after the step.
        metrics: 0-d tensors to be logged.
        shared: 0-d tensors whose means over all shards the objective needs; see `Coupled`.
    """

    losses: dict[str, Tensor]
    state: State
    metrics: dict[str, Tensor]
    shared: dict[str, Tensor] = {}  # noqa: RUF012, a default that is never changed


class Vital(NamedTuple):
    """A metric and its healthy range. The guard rolls training back when the metric leaves this range.

    Args:
        name: name of the metric.
        low: smallest healthy value.
        high: largest healthy value.
        warmup: number of first steps of a phase in which any value is healthy.
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
    """What a phase minimises. `init` is called once per phase, and `step` once per update.

    All state is in the flat dictionary of tensors that `step` receives and returns. It is part of every checkpoint. A
    replay buffer is kept on the CPU.
    """

    @property
    def vitals(self) -> tuple[Vital, ...]:
        """The metrics that the guard watches; may be empty."""
        ...

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        """The state before the first step. `batch` is any batch of the data, for its shapes and dtypes."""
        ...

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        """Losses, new state and metrics of one update on `batch`."""
        ...


class Stateless:
    """Base class of objectives that keep nothing between updates."""

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        return {}


@runtime_checkable
class Refreshing(Protocol):
    """An objective whose state can itself make training fail, such as a replay buffer of diverged chains."""

    def refresh(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> State:
        """The state to go on with after a rollback, with a part of it replaced by fresh values."""
        ...


@runtime_checkable
class Coupled(Protocol):
    """An objective whose state depends on all shards of the batch, such as the decision that a stage is over."""

    def settle(self, parts: Parts, state: State, shared: dict[str, Tensor]) -> Result:
        """The state and further metrics, without losses, after the steps of all shards.

        Called once per shard and update, each time with the same numbers.

        Args:
            parts: the networks, before the update.
            state: the state of the shard.
            shared: the means of `Result.shared` over all shards, 0-d.
        """
        ...


def scalar(value: Tensor) -> Tensor:
    """A 0-d tensor as a metric: detached, in float32."""
    return value.detach().to(torch.float32)
