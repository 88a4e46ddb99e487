"""Batches of data, in an order that a checkpoint can go on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from energybased.errors import UserError, require
from energybased.objectives import Batch


class Batches(Protocol):
    """An endless source of batches."""

    def next(self) -> Batch: ...

    def state(self) -> dict[str, Tensor]: ...

    def load(self, state: dict[str, Tensor]) -> None: ...


class TensorBatches:
    """Shuffled batches of tensors; the order is a function of the seed and the epoch."""

    def __init__(self, x: Tensor, y: Tensor | None, batch_size: int, seed: int) -> None:
        require(x.ndim >= 2 and x.numel() > 0, f"data must have shape (n, *event), got {tuple(x.shape)}")
        stored = x.dtype == torch.uint8
        require(stored or x.is_floating_point(), f"data must be bytes or of a floating-point type, got {x.dtype}")
        require(stored or bool(x.isfinite().all()), "the data have entries that are not finite")
        require(y is None or len(y) == len(x), f"{len(x)} examples came with {0 if y is None else len(y)} labels")
        self.x, self.y, self.seed = x, y, seed
        self.size = min(batch_size, len(x))
        self.drawn, self.epoch, self.order = 0, -1, torch.empty(0, dtype=torch.int64)

    def next(self) -> Batch:
        epoch, place = divmod(self.drawn, len(self.x) // self.size)
        if epoch != self.epoch:
            shuffle = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
            self.epoch, self.order = epoch, torch.randperm(len(self.x), generator=shuffle)
        rows = self.order[place * self.size : (place + 1) * self.size]
        self.drawn += 1
        return Batch(self.x[rows], None if self.y is None else self.y[rows])

    def state(self) -> dict[str, Tensor]:
        return {"drawn": torch.tensor(self.drawn)}

    def load(self, state: dict[str, Tensor]) -> None:
        self.drawn = int(state["drawn"])


class LoaderBatches:
    """Batches of a user's `DataLoader`, shuffled by its own generator or by torch's global one.

    A position is the generator's state where the epoch began and the batches drawn since; going there draws
    them again.
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        self.loader = loader
        self.private = loader.generator is not None
        self.generator = loader.generator if loader.generator is not None else torch.default_generator
        self.began, self.drawn = torch.empty(0, dtype=torch.uint8), 0
        self.epoch: Iterator[Any] | None = None

    def next(self) -> Batch:
        if self.epoch is None:
            self.began, self.drawn, self.epoch = self.generator.get_state(), 0, iter(self.loader)
        try:
            item = next(self.epoch)
        except StopIteration:
            require(self.drawn > 0, "the data loader gives no batches")
            self.epoch = None
            return self.next()
        self.drawn += 1
        return as_batch(item)

    def state(self) -> dict[str, Tensor]:
        state = {"began": self.began.clone(), "drawn": torch.tensor(self.drawn)}
        return {**state, "private": self.generator.get_state()} if self.private else state

    def load(self, state: dict[str, Tensor]) -> None:
        now = self.generator.get_state()
        self.epoch = None
        for _ in range(int(state["drawn"])):
            if self.epoch is None:
                self.generator.set_state(state["began"])
            self.next()
        self.began, self.drawn = state["began"], int(state["drawn"])
        self.generator.set_state(state.get("private", now))


class DrawnBatches:
    """Batches that a function draws; what it draws from is torch's global generator, or not gone on with."""

    def __init__(self, draw: Callable[[int], Tensor], batch_size: int) -> None:
        self.draw, self.batch_size = draw, batch_size

    def next(self) -> Batch:
        return as_batch(self.draw(self.batch_size))

    def state(self) -> dict[str, Tensor]:
        return {}

    def load(self, state: dict[str, Tensor]) -> None:
        pass


def as_batch(item: Any) -> Batch:
    """A batch from what a loader gives: x, (x,) or (x, y)."""
    if isinstance(item, Tensor):
        return Batch(item)
    if isinstance(item, (tuple, list)) and 1 <= len(item) <= 2 and all(isinstance(part, Tensor) for part in item):
        return Batch(*item)
    raise UserError(f"a batch is x or (x, y), of tensors; got {type(item).__name__}")


def as_batches(data: Any, batch_size: int, seed: int) -> Batches:
    """Batches of a tensor, tensors (x,) or (x, y), a `Dataset`, a `DataLoader` or a function that draws n of x."""
    if isinstance(data, Tensor):
        return TensorBatches(data, None, batch_size, seed)
    if isinstance(data, (tuple, list)) and len(data) in (1, 2) and all(isinstance(part, Tensor) for part in data):
        return TensorBatches(data[0], data[1] if len(data) == 2 else None, batch_size, seed)
    if isinstance(data, DataLoader):
        return LoaderBatches(data)
    if isinstance(data, Dataset):
        require(hasattr(data, "__len__"), "an IterableDataset has no length: give a DataLoader of it")
        require(len(data) >= 1, "the data are empty")  # type: ignore[arg-type]
        return LoaderBatches(DataLoader(data, min(batch_size, len(data)), shuffle=True))  # type: ignore[arg-type]
    if callable(data):
        return DrawnBatches(data, batch_size)
    raise UserError(
        f"data are a tensor, a pair of tensors, a Dataset, a DataLoader or a function; got {type(data).__name__}"
    )
