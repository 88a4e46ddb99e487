"""The replay buffer: where training chains rest between two visits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from energybased.errors import UserError, require

BufferState = dict[str, Tensor]
Fresh = Callable[[int], Tensor]  # n -> n new starts (n, *event)


@dataclass(frozen=True)
class ReplayBuffer:
    """Settings of a buffer; its contents are a `BufferState` of fixed tensors, changed in place by `write`.

    Args:
        capacity: number of chains kept.
        policy: "slots" visits the slots in turn and writes chains back where they were; "fifo" draws with
            replacement and overwrites the oldest, as Du & Mordatch 2019.
        restart: probability that a visited chain starts anew.
        max_visits: a chain starts anew after so many visits; ages are spread at the beginning.
        images: store pixels of [0, 1] as one byte, read back with the lost fraction drawn uniformly; 256 levels, so
            that storing moves no average (the paper's code takes 255, which darkens a chain at every visit).
        augment: changes drawn chains, `(x, generator) -> x`.
        by_class: chains rest by class, each in the slots i = class modulo classes, and go on only under the class
            they began with. Otherwise a chain goes on under whatever the batch asks for, as Du & Mordatch 2019.
    """

    capacity: int = 10_000
    policy: Literal["slots", "fifo"] = "slots"
    restart: float = 0.05
    max_visits: int | None = None
    images: bool = False
    augment: Callable[[Tensor, Generator], Tensor] | None = None
    by_class: bool = False

    def __post_init__(self) -> None:
        require(self.capacity >= 1, f"a buffer's capacity must be at least 1, got {self.capacity}")
        require(self.policy in ("slots", "fifo"), f"a buffer's policy is 'slots' or 'fifo', got {self.policy!r}")
        require(0 <= self.restart <= 1, f"a buffer's restart must be a probability, got {self.restart}")
        require(
            self.max_visits is None or self.max_visits >= 1, f"max_visits must be at least 1, got {self.max_visits}"
        )
        require(not self.by_class or self.policy == "slots", "a buffer by class needs the policy 'slots'")

    def init(self, fresh: Fresh, generator: Generator, classes: int = 0) -> BufferState:
        """A buffer full of fresh starts ("slots") or empty ("fifo").

        Args:
            classes: number of classes, for a buffer by class; each has an equal part of the capacity.
        """
        lanes = max(classes, 1) if self.by_class else 1
        capacity = self.capacity // lanes * lanes
        require(capacity > 0, f"a buffer of capacity {self.capacity} cannot hold {classes} classes")
        visits = torch.zeros(capacity, dtype=torch.int64)
        if self.max_visits is not None:
            visits = torch.randint(self.max_visits, (capacity,), generator=generator)
        return {
            "x": self._pack(fresh(capacity)),
            "visits": visits,
            "pointer": torch.zeros(lanes, dtype=torch.int64),
            "filled": torch.tensor(capacity if self.policy == "slots" else 0),
        }

    def sample(
        self, state: BufferState, n: int, fresh: Fresh, generator: Generator, y: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """n starts `(n, *event)` for chains, and the slots `(n,)` to write them back to.

        Args:
            y: `(n,)`, the classes that the chains are wanted for; a buffer by class needs them.
        """
        slots = self._next(state, n, y)
        drawn = slots
        if self.policy == "fifo":
            if int(state["filled"]) <= n:
                return fresh(n), slots
            drawn = torch.randint(int(state["filled"]), (n,), generator=generator)
        x, visits = self._unpack(state["x"][drawn], generator), state["visits"][drawn]
        if self.augment is not None:
            x = self.augment(x, generator)
        anew = torch.rand(n, generator=generator) < self.restart
        if self.max_visits is not None:
            anew |= visits >= self.max_visits
        visits[anew] = 0
        if bool(anew.any()):
            x[anew] = fresh(int(anew.sum()))
        state["visits"][slots] = visits
        return x, slots

    def write(self, state: BufferState, slots: Tensor, x: Tensor) -> None:
        """Puts chains back and moves the buffer on."""
        state["x"][slots] = self._pack(x)
        state["visits"][slots] += 1
        lanes, capacity = len(state["pointer"]), len(state["x"])
        state["pointer"].add_(torch.bincount(slots % lanes, minlength=lanes)).remainder_(capacity // lanes)
        state["filled"].add_(len(slots)).clamp_(max=capacity)

    def refresh(self, state: BufferState, fraction: float, fresh: Fresh, generator: Generator) -> None:
        """Starts a random part of the chains anew."""
        capacity = len(state["x"])
        slots = torch.randperm(capacity, generator=generator)[: int(fraction * capacity)]
        state["x"][slots] = self._pack(fresh(len(slots)))
        state["visits"][slots] = 0

    def contents(self, state: BufferState, generator: Generator) -> Tensor:
        """All chains, `(filled, *event)`, as `sample` would read them."""
        return self._unpack(state["x"][: int(state["filled"])], generator)

    def _next(self, state: BufferState, n: int, y: Tensor | None) -> Tensor:
        """The slots in turn, those of each class apart; slot i belongs to class i modulo classes.

        A class that is wanted more often than it has slots begins several chains at one of them.
        """
        lanes = len(state["pointer"])
        if lanes > 1 and y is None:
            raise UserError("the replay buffer holds chains by class, but the batch has no classes")
        lane = torch.zeros(n, dtype=torch.int64) if lanes == 1 or y is None else y.cpu()
        size = len(state["x"]) // lanes
        counted = F.one_hot(lane, lanes).cumsum(0)
        require(n <= len(state["x"]), f"cannot draw {n} chains from a buffer of capacity {len(state['x'])}")
        place = state["pointer"][lane] + counted.gather(1, lane[:, None]).squeeze(1) - 1
        return place % size * lanes + lane

    def _pack(self, x: Tensor) -> Tensor:
        return (256 * x).floor().clamp(0, 255).to(torch.uint8) if self.images else x

    def _unpack(self, x: Tensor, generator: Generator) -> Tensor:
        if not self.images:
            return x.clone()
        return (x.float() + torch.rand(x.shape, generator=generator)) / 256
