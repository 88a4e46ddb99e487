"""The replay buffer: where training chains rest between two visits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from energybased.errors import require

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
    """

    capacity: int = 10_000
    policy: Literal["slots", "fifo"] = "slots"
    restart: float = 0.05
    max_visits: int | None = None
    images: bool = False
    augment: Callable[[Tensor, Generator], Tensor] | None = None

    def __post_init__(self) -> None:
        require(self.capacity >= 1, f"a buffer's capacity must be at least 1, got {self.capacity}")
        require(self.policy in ("slots", "fifo"), f"a buffer's policy is 'slots' or 'fifo', got {self.policy!r}")
        require(0 <= self.restart <= 1, f"a buffer's restart must be a probability, got {self.restart}")
        require(
            self.max_visits is None or self.max_visits >= 1, f"max_visits must be at least 1, got {self.max_visits}"
        )

    def init(self, fresh: Fresh, generator: Generator) -> BufferState:
        """A buffer full of fresh starts ("slots") or empty ("fifo")."""
        x = self._pack(fresh(self.capacity))
        visits = torch.zeros(self.capacity, dtype=torch.int64)
        if self.max_visits is not None:
            visits = torch.randint(self.max_visits, (self.capacity,), generator=generator)
        filled = self.capacity if self.policy == "slots" else 0
        return {"x": x, "visits": visits, "pointer": torch.tensor(0), "filled": torch.tensor(filled)}

    def draw(self, state: BufferState, n: int, fresh: Fresh, generator: Generator) -> tuple[Tensor, Tensor]:
        """n starts `(n, *event)` for chains, and the slots `(n,)` to write them back to."""
        require(n <= self.capacity, f"cannot draw {n} chains from a buffer of capacity {self.capacity}")
        pointer = torch.arange(n) + int(state["pointer"])
        if self.policy == "fifo":
            if int(state["filled"]) <= n:
                return fresh(n), pointer % self.capacity
            drawn = torch.randint(int(state["filled"]), (n,), generator=generator)
        else:
            drawn = pointer % self.capacity
        x, visits = self._unpack(state["x"][drawn], generator), state["visits"][drawn]
        if self.augment is not None:
            x = self.augment(x, generator)
        anew = torch.rand(n, generator=generator) < self.restart
        if self.max_visits is not None:
            anew |= visits >= self.max_visits
        visits[anew] = 0
        x[anew] = fresh(int(anew.sum()))
        slots = pointer % self.capacity
        state["visits"][slots] = visits
        return x, slots

    def write(self, state: BufferState, slots: Tensor, x: Tensor) -> None:
        """Puts chains back and moves the buffer on."""
        state["x"][slots] = self._pack(x)
        state["visits"][slots] += 1
        state["pointer"].add_(len(slots)).remainder_(self.capacity)
        state["filled"].add_(len(slots)).clamp_(max=self.capacity)

    def refresh(self, state: BufferState, fraction: float, fresh: Fresh, generator: Generator) -> None:
        """Starts a random part of the chains anew."""
        slots = torch.randperm(self.capacity, generator=generator)[: int(fraction * self.capacity)]
        state["x"][slots] = self._pack(fresh(len(slots)))
        state["visits"][slots] = 0

    def contents(self, state: BufferState, generator: Generator) -> Tensor:
        """All chains, `(filled, *event)`, as `draw` would read them."""
        return self._unpack(state["x"][: int(state["filled"])], generator)

    def _pack(self, x: Tensor) -> Tensor:
        return (256 * x).floor().clamp(0, 255).to(torch.uint8) if self.images else x

    def _unpack(self, x: Tensor, generator: Generator) -> Tensor:
        if not self.images:
            return x.clone()
        return (x.float() + torch.rand(x.shape, generator=generator)) / 256
