"""Batches of data, in an order that a checkpoint can continue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset

from energybased.conditions import mapped, rows_of
from energybased.data import AnyDomain, DataSet, Pixels, Reals, Split, as_dataset
from energybased.errors import UserError, require
from energybased.objectives import Batch


class Batches(Protocol):
    """An endless source of batches, whose x is as the data store it."""

    def next(self) -> Batch: ...

    def state(self) -> dict[str, Tensor]: ...

    def load(self, state: dict[str, Tensor]) -> None: ...


class SplitBatches:
    """Shuffled batches of a split; the order is a function of the seed and the epoch.

    Args:
        held_out: boolean `(n,)`, rows that are measured and not trained on.
    """

    def __init__(
        self,
        split: Split,
        domain: AnyDomain,
        batch_size: int,
        seed: int,
        held_out: Tensor | None = None,
    ) -> None:
        require(len(split) > 0, "the data are empty")
        self.split, self.domain, self.seed = split, domain, seed
        self.held_out = held_out
        self.size = min(batch_size, len(split))
        self.drawn, self.epoch, self.order = 0, -1, torch.empty(0, dtype=torch.int64)

    def next(self) -> Batch:
        epoch, place = divmod(self.drawn, len(self.split) // self.size)
        if epoch != self.epoch:
            shuffle = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
            self.epoch, self.order = epoch, torch.randperm(len(self.split), generator=shuffle)
        rows = self.order[place * self.size : (place + 1) * self.size]
        self.drawn += 1
        taken = self.split.take(rows)
        held_out = None if self.held_out is None else rows_of(self.held_out, rows)
        return Batch(taken.x, taken.y, held_out, self.domain)  # type: ignore[arg-type]

    def state(self) -> dict[str, Tensor]:
        return {"drawn": torch.tensor(self.drawn)}

    def load(self, state: dict[str, Tensor]) -> None:
        self.drawn = int(state["drawn"])


class LoaderBatches:
    """Batches of a user's `DataLoader`, shuffled by its own generator or by torch's global one.

    A position is the generator's state at the beginning of the epoch and the number of batches since. To restore
    a position, these batches are drawn again.
    """

    def __init__(self, loader: DataLoader[Any], domain: AnyDomain | None) -> None:
        self.loader, self.domain = loader, domain
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
        return as_batch(item, self.domain)

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
    """Batches that a function draws, from torch's global generator or from a source whose position is not saved."""

    def __init__(self, draw: Callable[[int], Any], batch_size: int, domain: AnyDomain | None) -> None:
        self.draw, self.batch_size, self.domain = draw, batch_size, domain

    def next(self) -> Batch:
        return as_batch(self.draw(self.batch_size), self.domain)

    def state(self) -> dict[str, Tensor]:
        return {}

    def load(self, state: dict[str, Tensor]) -> None:
        pass


class WithoutConditions:
    """The same batches without their y, for a model that is not conditional."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def next(self) -> Batch:
        return self.batches.next()._replace(y=None)

    def state(self) -> dict[str, Tensor]:
        return self.batches.state()

    def load(self, state: dict[str, Tensor]) -> None:
        self.batches.load(state)


def as_batch(item: Any, domain: AnyDomain | None) -> Batch:
    """A batch from what a loader gives: x, (x,), (x, y), or a `Batch`; bytes are pixels if no domain is given."""
    if isinstance(item, Batch):
        return item
    parts: Any = (item,) if isinstance(item, Tensor) else item
    pair = isinstance(parts, (tuple, list)) and 1 <= len(parts) <= 2 and isinstance(parts[0], Tensor)
    if not pair:
        raise UserError(f"a batch is x or (x, y), of tensors; got {type(item).__name__}")
    x, y = parts[0], parts[1] if len(parts) == 2 else None
    y = tuple(y) if isinstance(y, list) else y
    return Batch(x, y, None, domain or (Pixels() if x.dtype == torch.uint8 else Reals()))


def prepared(stored: Batch, rng: Generator, noise: float, device: torch.device, name: str) -> Batch:
    """A batch in the model's units, on a device.

    Args:
        stored: the batch as the data store it.
        rng: source of the noise.
        noise: standard deviation of Gaussian noise, in the model's units.
        device: where the batch is moved.
        name: of the batch, for errors.

    Raises:
        UserError: if an entry is not finite, or x is of another type than bytes or floating-point numbers.
    """
    known = stored.x.dtype == torch.uint8 or stored.x.is_floating_point()
    require(known, f"data must be bytes or of a floating-point type, got {stored.x.dtype}")
    x = stored.domain.batch(stored.x, rng)
    require(bool(x.isfinite().all()), f"{name} has entries that are not finite")
    if noise:
        x = x + noise * torch.randn(x.shape, generator=rng, dtype=x.dtype, device="cpu").to(x.device)

    def move(part: Tensor) -> Tensor:
        return part.to(device)

    held_out = None if stored.held_out is None else move(stored.held_out)
    return stored._replace(x=move(x), y=mapped(stored.y, move), held_out=held_out)


def as_batches(
    data: Any, batch_size: int, seed: int, domain: AnyDomain | None = None, conditional: bool = True
) -> Batches:
    """Batches of anything that training takes.

    Args:
        data: a `DataSet`, an array or tensor, a pair (x, y), a frame, a `Dataset`, a `DataLoader`, a function that
            draws n examples, or `Batches`.
        domain: what the values are; inferred if not given.
        conditional: whether batches keep the y that the data have.
    """
    if not conditional:
        return WithoutConditions(as_batches(data, batch_size, seed, domain))
    dataset = as_dataset(data, domain=domain)
    if isinstance(dataset, DataSet):
        return SplitBatches(dataset.train, dataset.domain, batch_size, seed)
    if isinstance(data, DataLoader):
        return LoaderBatches(data, domain)
    if isinstance(data, Dataset):
        require(hasattr(data, "__len__"), "an IterableDataset has no length: give a DataLoader of it")
        require(len(data) >= 1, "the data are empty")  # type: ignore[arg-type]
        loader = DataLoader(data, min(batch_size, len(data)), shuffle=True)  # type: ignore[arg-type]
        return LoaderBatches(loader, domain)
    if all(hasattr(data, name) for name in ("next", "state", "load")):
        batches: Batches = data
        return batches
    if callable(data):
        return DrawnBatches(data, batch_size, domain)
    raise UserError(
        "data are a DataSet, an array, a pair (x, y), a frame, a Dataset, a DataLoader or a function that draws n "
        f"examples; got {type(data).__name__}"
    )
