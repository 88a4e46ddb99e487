"""Shards: the parts of a batch, each with its own state of the objective and its own random numbers.

The result of a training depends on the number of shards, and not on the processes that compute them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from energybased.conditions import rows_of
from energybased.errors import require
from energybased.objectives import Batch
from energybased.training.rng import global_rng, preserved_rng, seed_all, set_global_rng

Group = dict[str, Tensor]
Made = TypeVar("Made")


@dataclass
class Shard:
    """What one shard keeps between updates.

    Args:
        rng: the generator of every draw that the objective makes for this shard.
        own_globals: states of the global generators, from which networks may draw; None for the only shard, which
            uses the global generators as they are.
        objective: the state of the current objective, such as a replay buffer.
    """

    rng: torch.Generator
    own_globals: Group | None
    objective: Group = field(default_factory=dict)

    @staticmethod
    def begin(seed: int, number: int, count: int) -> Shard:
        """Shard `number` of `count`, seeded by both."""
        shard = Shard(torch.Generator(), None if count == 1 else {})
        shard.reseed(seed, number)
        return shard

    def reseed(self, seed: int, number: int) -> None:
        seed = seed if number == 0 else int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
        self.rng.manual_seed(seed)
        if self.own_globals is not None:
            with preserved_rng():
                seed_all(seed)
                self.own_globals = global_rng()

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Inside, the global generators are those of the shard."""
        if self.own_globals is None:
            yield
            return
        with preserved_rng():
            set_global_rng(self.own_globals)
            yield
            self.own_globals = global_rng()

    def tensors(self) -> Group:
        """The state as named tensors."""
        kept = {f"objective/{name}": value for name, value in self.objective.items()}
        drawn = {f"rng/{name}": value for name, value in (self.own_globals or {}).items()}
        return {**kept, **drawn, "rng/training": self.rng.get_state()}

    def load(self, tensors: Group) -> None:
        """Restores what `tensors` gave."""
        split: dict[str, Group] = {"objective": {}, "rng": {}}
        for key, value in tensors.items():
            first, name = key.split("/", 1)
            split[first][name] = value
        self.objective = split["objective"]
        self.rng.set_state(split["rng"].pop("training"))
        self.own_globals = split["rng"] or None


def cut(batch: Batch, number: int, count: int) -> Batch:
    """The rows of shard `number` of `count`.

    Raises:
        UserError: if the rows cannot be shared out equally.
    """
    if count == 1:
        return batch
    n = len(batch.x)
    require(n % count == 0, f"a batch of {n} rows cannot be cut into {count} shards of one size")
    rows = slice(number * n // count, (number + 1) * n // count)
    held_out = None if batch.held_out is None else batch.held_out[rows]
    return Batch(batch.x[rows], rows_of(batch.y, rows), held_out, batch.domain, count)


def each(function: Callable[[Shard, int], Made], shards: dict[int, Shard], shared: Sequence[Tensor]) -> list[Made]:
    """Calls a function for each shard of this process, each time with the same values of the shared tensors.

    Afterwards the shared tensors are as the call for the first shard has left them.
    """
    several = len(shards) > 1  # otherwise there is nothing to restore
    before = [tensor.clone() for tensor in shared] if several else []
    after: list[Tensor] = []
    made = []
    for i, (number, shard) in enumerate(shards.items()):
        if i:
            fill(shared, before)
        with shard.drawing():
            made.append(function(shard, number))
        if several and not i:
            after = [tensor.clone() for tensor in shared]
    if several:
        fill(shared, after)
    return made


def common(parts: Mapping[str, nn.Module], weights: bool = False) -> list[Tensor]:
    """The tensors of the parts that all shards share: the buffers, and the weights if asked."""
    learned = [p.data for part in parts.values() for p in part.parameters()] if weights else []
    return [*learned, *(buffer for part in parts.values() for buffer in part.buffers())]


@torch.no_grad()
def fill(tensors: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Copies values into tensors."""
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)
