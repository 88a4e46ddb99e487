"""A data set in memory: three splits, each x with labels if there are any."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from energybased.errors import require


@dataclass(frozen=True)
class Split:
    """x `(n, *event)`, bytes as they were stored or float32 with pixels in [0, 1]; y `(n,)` of classes, or None."""

    x: Tensor
    y: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def pixels(self, rows: slice = slice(None)) -> Tensor:
        """These rows of x in float32, bytes scaled from 0 ... 255 to [0, 1]."""
        return self.x[rows].float() / 255 if self.x.dtype == torch.uint8 else self.x[rows]


@dataclass(frozen=True)
class DataSet:
    """Train on `train`, choose on `validation`, report on `test`."""

    name: str
    train: Split
    validation: Split
    test: Split
    notes: tuple[str, ...] = ()  # what had to be done to the files

    @property
    def event(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.train.x.shape[1:])

    @property
    def classes(self) -> int:
        """Number of classes, 0 without labels."""
        labels = [split.y for split in (self.train, self.validation, self.test) if split.y is not None and len(split)]
        return int(torch.cat(labels).max()) + 1 if labels else 0

    @property
    def is_image(self) -> bool:
        return len(self.event) == 3

    def sha256(self) -> str:
        """A hash of every value in every split."""
        digest = hashlib.sha256()
        for split in (self.train, self.validation, self.test):
            for tensor in (split.x, split.y):
                if tensor is not None:
                    digest.update(tensor.contiguous().numpy().data)
        return digest.hexdigest()


def dequantised(x: Tensor, rng: Generator) -> Tensor:
    """Bytes as pixels in [0, 1): (x + u) / 256 with u uniform in [0, 1), as Du & Mordatch 2019."""
    return (x + torch.rand(x.shape, generator=rng)) / 256


def published(name: str, train: Split, test: Split, validation: int) -> DataSet:
    """A data set with a published test split: the last examples of its training split are kept to choose on."""
    require(len(train) > validation, f"{name} has {len(train)} training examples, too few to keep {validation}")
    for split in (train, test):
        require(split.y is None or int(split.y.min()) >= 0, f"{name} has labels below its first class")
    cut = len(train) - validation
    fitted, chosen = (
        Split(train.x[rows], None if train.y is None else train.y[rows]) for rows in (slice(cut), slice(cut, None))
    )
    return DataSet(name, fitted, chosen, test)


def shuffled_split(name: str, x: Tensor, y: Tensor | None, validation: int, test: int) -> DataSet:
    """Splits by one fixed shuffle: the last `test` examples, before them `validation`, the rest to train on."""
    n = len(x)
    require(n >= validation + test + 1, f"{name} has {n} examples, too few to split")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    cuts = (slice(0, n - validation - test), slice(n - validation - test, n - test), slice(n - test, n))
    a, b, c = (Split(x[order[cut]], None if y is None else y[order[cut]]) for cut in cuts)
    return DataSet(name, a, b, c)
