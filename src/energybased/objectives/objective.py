"""What an objective is: what is minimised, for which parts, and how to tell that it is going well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn

Parts = Mapping[str, nn.Module]
State = dict[str, Tensor]


class Batch(NamedTuple):
    """Data `x (batch, *event)` and, for conditional models, their conditions `y`."""

    x: Tensor
    y: Tensor | None = None


class Result(NamedTuple):
    """What one step of an objective gives."""

    losses: dict[str, Tensor]  # a 0-d loss for each part that learns
    state: State
    metrics: dict[str, Tensor]  # 0-d tensors; never read inside the step


class Vital(NamedTuple):
    """A metric with the range in which training is healthy, from `warmup` steps on; all the guard reads."""

    name: str
    low: float
    high: float
    warmup: int
    advice: str  # what to change when it leaves its range

    def healthy(self, value: float, step: int) -> bool:
        return step < self.warmup or self.low <= value <= self.high


class Objective(Protocol):
    """Init once, then step after step; all state is the flat dictionary of tensors that goes in and out."""

    @property
    def vitals(self) -> tuple[Vital, ...]: ...

    def init(self, parts: Parts, data: Tensor, rng: Generator) -> State:
        """The state before the first step; `data` is one batch, for its shape and type."""
        ...

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result: ...


@runtime_checkable
class Refreshing(Protocol):
    """An objective whose state may be what spoilt a training, as a replay buffer that was poisoned."""

    def refresh(self, state: State, rng: Generator) -> State:
        """The state after a rollback: part of what may be spoilt is begun anew."""
        ...


def scalar(value: Tensor) -> Tensor:
    """A metric: detached, 0-d, in float32."""
    return value.detach().to(torch.float32)
