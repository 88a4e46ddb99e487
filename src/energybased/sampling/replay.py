"""The replay buffer: chains that continue from one training update to the next (Tieleman 2008)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from energybased.conditions import joined, rows_of, tensors
from energybased.energy import Condition
from energybased.errors import UserError, require

BufferState = dict[str, Tensor]
Fresh = Callable[[int], Tensor]  # n -> n new starts (n, *event)


class Drawn(NamedTuple):
    """Chains taken from a buffer.

    Args:
        x: their states, `(n, *event)`.
        y: the conditions under which they continue.
        slots: `(n,)`, the slots of the buffer to write them back to.
    """

    x: Tensor
    y: Condition | None
    slots: Tensor


@dataclass(frozen=True)
class ReplayBuffer:
    """Settings of a replay buffer. Its contents are a `BufferState` of fixed tensors, which `write` changes in place.

    A conditional chain keeps its condition: y is stored with x and returned with it. For classes there are two
    alternatives, `relabel` and `by_class`.

    Args:
        capacity: number of chains.
        policy: "slots" visits the slots in turn and writes every chain back to its slot. "fifo" draws chains with
            replacement and overwrites the oldest ones (Du & Mordatch 2019).
        restart: probability that a visited chain starts anew.
        images: store pixels of [0, 1] as one byte, floor(256 x), and read (byte + u) / 256 with u uniform in [0, 1).
            This keeps the mean (the code of Du & Mordatch 2019 takes 255, which darkens a chain at every visit).
        relabel: chains continue under the classes of the current batch (Du & Mordatch 2019).
        by_class: a chain keeps its class, and is visited when the batch has that class. Slot i belongs to class
            i modulo the number of classes.

    Raises:
        UserError: for settings out of range, or that exclude each other.
    """

    capacity: int = 10_000
    policy: Literal["slots", "fifo"] = "slots"
    restart: float = 0.05
    images: bool = False
    relabel: bool = False
    by_class: bool = False

    def __post_init__(self) -> None:
        require(self.capacity >= 1, f"a buffer's capacity must be at least 1, got {self.capacity}")
        require(self.policy in ("slots", "fifo"), f"a buffer's policy is 'slots' or 'fifo', got {self.policy!r}")
        require(0 <= self.restart <= 1, f"a buffer's restart must be a probability, got {self.restart}")
        require(not self.by_class or self.policy == "slots", "a buffer by class needs the policy 'slots'")
        require(not (self.by_class and self.relabel), "a buffer keeps chains by class or relabels them, not both")

    def share(self, shards: int) -> ReplayBuffer:
        """The settings of the part of one of several shards."""
        return replace(self, capacity=-(-self.capacity // shards))

    def init(self, fresh: Fresh, generator: Generator, y: Condition | None = None, classes: int = 0) -> BufferState:
        """The contents of a new buffer: full of fresh starts ("slots"), or empty ("fifo").

        Args:
            fresh: draws n fresh starts, `(n, *event)`.
            generator: draws the conditions of the fresh chains.
            y: conditions of some data, from which those of the fresh chains are drawn.
            classes: number of classes, for a buffer by class. The capacity is rounded up to a multiple of it.

        Raises:
            UserError: if a buffer that relabels or is by class gets conditions that are not classes.
        """
        if self.by_class or self.relabel:
            numbers = y is None or (isinstance(y, Tensor) and y.ndim == 1 and not y.is_floating_point())
            require(numbers, "relabel and by_class are for conditions that are one class")
        lanes = max(classes, 1) if self.by_class and y is not None else 1
        capacity = -(-self.capacity // lanes) * lanes  # equally many for each class
        state = {
            "x": self._pack(fresh(capacity).cpu()),
            "visits": torch.zeros(capacity, dtype=torch.int64, device="cpu"),
            "pointer": torch.zeros(lanes, dtype=torch.int64, device="cpu"),
            "filled": torch.tensor(capacity if self.policy == "slots" else 0, device="cpu"),
        }
        if y is not None and not (self.by_class or self.relabel):
            rows = torch.randint(max(len(t) for t in tensors(y)), (capacity,), generator=generator, device="cpu")
            state |= {f"y{i}": part.cpu()[rows] for i, part in enumerate(tensors(y))}
        return state

    def sample(
        self, state: BufferState, n: int, fresh: Fresh, generator: Generator, y: Condition | None = None
    ) -> Drawn:
        """Takes n chains to continue, `(n, *event)`, on the CPU.

        Args:
            state: the contents of the buffer.
            n: number of chains.
            fresh: draws n fresh starts, for the chains that start anew.
            generator: decides which chains start anew.
            y: the conditions of the batch, one per chain. Chains that start anew take them; all chains take them if the
                buffer relabels.

        Raises:
            UserError: if n is larger than the capacity, or a buffer by class gets no classes.
        """
        y = None if y is None else joined([part.cpu() for part in tensors(y)])
        slots = self._next(state, n, y)
        rows = slots
        if self.policy == "fifo":
            if int(state["filled"]) <= n:
                return Drawn(fresh(n).cpu(), y, slots)
            rows = torch.randint(int(state["filled"]), (n,), generator=generator, device="cpu")
        x, visits = self._unpack(state["x"][rows], generator), state["visits"][rows]
        anew = torch.rand(n, generator=generator, device="cpu") < self.restart
        visits[anew] = 0
        if bool(anew.any()):
            x[anew] = fresh(int(anew.sum())).cpu()
        state["visits"][slots] = visits
        stored = [state[name][rows] for name in self.conditions(state)]
        if stored:
            for part, new in zip(stored, tensors(y), strict=True):
                part[anew] = new[anew]
            y = joined(stored)
        return Drawn(x, y, slots)

    def write(self, state: BufferState, slots: Tensor, x: Tensor, y: Condition | None = None) -> None:
        """Writes chains x `(n, *event)` and their conditions back to their slots `(n,)`, and advances the buffer."""
        state["x"][slots] = self._pack(x.cpu())
        for name, part in zip(self.conditions(state), tensors(y), strict=False):
            state[name][slots] = part.cpu()
        state["visits"][slots] += 1
        lanes, capacity = len(state["pointer"]), len(state["x"])
        state["pointer"].add_(torch.bincount(slots % lanes, minlength=lanes)).remainder_(capacity // lanes)
        state["filled"].add_(len(slots)).clamp_(max=capacity)

    def refresh(self, state: BufferState, fraction: float, fresh: Fresh, generator: Generator) -> None:
        """Replaces a random fraction of the chains by fresh starts."""
        capacity = len(state["x"])
        slots = torch.randperm(capacity, generator=generator, device="cpu")[: int(fraction * capacity)]
        state["x"][slots] = self._pack(fresh(len(slots)).cpu())
        state["visits"][slots] = 0

    def contents(self, state: BufferState, generator: Generator) -> tuple[Tensor, Condition | None]:
        """All chains `(filled, *event)`, as `sample` reads them, and their conditions if there are any.

        A buffer by class stores no conditions: chain i has class i modulo the number of classes.
        """
        filled, lanes = int(state["filled"]), len(state["pointer"])
        y = joined([state[name] for name in self.conditions(state)])
        y = torch.arange(filled, device="cpu") % lanes if self.by_class and lanes > 1 else y
        return self._unpack(state["x"][:filled], generator), rows_of(y, slice(filled))

    def merge(self, states: Sequence[BufferState]) -> BufferState:
        """The contents of the buffers of several shards as those of one, to be read by `contents`."""
        filled = [int(state["filled"]) for state in states]
        names = ["x", "visits", *self.conditions(states[0])]
        merged = {n: torch.cat([s[n][:k] for s, k in zip(states, filled, strict=True)]) for n in names}
        return {**merged, "pointer": states[0]["pointer"], "filled": torch.tensor(sum(filled), device="cpu")}

    @staticmethod
    def conditions(state: BufferState) -> list[str]:
        """Names of the tensors of a state that hold conditions."""
        return sorted(name for name in state if name[0] == "y" and name[1:].isdigit())

    def _next(self, state: BufferState, n: int, y: Condition | None) -> Tensor:
        """The next n slots. In a buffer by class, the slots of each class are visited in turn, class by class.

        If a class occurs in the batch more often than it has slots, some of its slots are returned twice.
        """
        lanes = len(state["pointer"])
        require(n <= len(state["x"]), f"cannot take {n} chains from a buffer of capacity {len(state['x'])}")
        if lanes == 1:
            return (state["pointer"] + torch.arange(n, device="cpu")) % len(state["x"])
        if not isinstance(y, Tensor):
            raise UserError("the replay buffer holds chains by class, but the batch has no classes")
        place = state["pointer"][y] + F.one_hot(y, lanes).cumsum(0).gather(1, y[:, None]).squeeze(1) - 1
        return place % (len(state["x"]) // lanes) * lanes + y

    def _pack(self, x: Tensor) -> Tensor:
        return (256 * x).floor().clamp(0, 255).to(torch.uint8) if self.images else x

    def _unpack(self, x: Tensor, generator: Generator) -> Tensor:
        if not self.images:
            return x.clone()
        return (x.float() + torch.rand(x.shape, generator=generator, device="cpu")) / 256
