"""Data sets. Each has three splits with examples x and, optionally, conditions y."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from energybased.conditions import Classes, Conditions, classes_of, concatenated, describe, moments, rows_of, tensors
from energybased.data.domain import AnyDomain, Pixels, Reals
from energybased.data.fingerprint import fingerprint
from energybased.energy import Condition, Rows
from energybased.errors import require

ALL = slice(None)


@dataclass(frozen=True)
class Split:
    """Examples x `(n, *event)` as they are stored, and their conditions y.

    Args:
        x: bytes or floats; may be memory-mapped from a file.
        y: class numbers `(n,)`, real vectors `(n, *shape)`, a tuple of these, or None.
        index: numbers of the rows of x and y that belong to the split, in order; all rows if not given.
        file: the `.npy` file from which x is memory-mapped; None if x is in memory.
    """

    x: Tensor
    y: Condition | None = None
    index: Tensor | None = None
    file: Path | None = None

    def __len__(self) -> int:
        return len(self.x) if self.index is None else len(self.index)

    def take(self, rows: Rows = ALL) -> Split:
        """A split of these rows, in memory."""
        rows = rows if self.index is None else self.index[rows]
        return Split(self.x[rows].contiguous(), rows_of(self.y, rows))

    def some(self, n: int) -> Split:
        """At most n random rows, in memory, the same at every call; a published split may be sorted by difficulty."""
        return self.take(torch.randperm(len(self), generator=torch.Generator().manual_seed(0))[:n])

    def moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each entry of x. The standard deviation of a constant entry is 0."""
        return moments(self.x, self.index)

    def part(self, rows: Rows) -> Split:
        """A split of these rows. If x is memory-mapped, its values are not copied."""
        if self.file is None:
            return self.take(rows)
        index = torch.arange(len(self.x)) if self.index is None else self.index
        return replace(self, index=index[rows])


@dataclass(frozen=True)
class DataSpec:
    """Properties of the training data that a model stores.

    Args:
        event: shape of one example.
        domain: domain of the values, pixels or real numbers; see `data.domain`.
        conditions: kinds of y; empty if there are no conditions.
        name: name of the data set.
    """

    event: tuple[int, ...]
    domain: AnyDomain = Reals()
    conditions: Conditions = ()
    name: str = ""


@dataclass(frozen=True)
class DataSet:
    """A data set: its splits, its domain and its conditions.

    Args:
        name: name of the data set.
        train: examples for training.
        validation: examples for the choice of settings.
        test: examples for reported results.
        domain: domain of the values, pixels or real numbers; see `data.domain`.
        conditions: kinds of y; empty if there are no conditions.
        notes: remarks about how the data were read.
        holdout: a class that only the test split has, as out-of-distribution examples; None if there is none.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    domain: AnyDomain = Pixels()
    conditions: Conditions = ()
    notes: tuple[str, ...] = ()
    holdout: int | None = None

    @property
    def event(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.train.x.shape[1:])

    @property
    def classes(self) -> int:
        """Number of classes; 0 if the condition is not a single class."""
        return classes_of(self.conditions)

    @property
    def spec(self) -> DataSpec:
        """The properties of the data that a model stores."""
        return DataSpec(self.event, self.domain, self.conditions, self.name)

    @property
    def splits(self) -> tuple[Split, Split, Split]:
        """The training, validation and test split."""
        return self.train, self.validation, self.test

    def values(self, split: Split, rows: Rows = ALL) -> Tensor:
        """These rows of a split as x `(rows, *event)`, floats in the user's units."""
        return self.domain.read(split.take(rows).x)

    def noted(self, *notes: str) -> DataSet:
        """A copy of the data set with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def sha256(self) -> str:
        """A SHA-256 hash of all values in all splits."""
        return fingerprint([t for s in self.splits for t in (s.file or s.x, s.index, *tensors(s.y))])


def published(name: str, train: Split, test: Split, validation: int, names: tuple[str, ...] = ()) -> DataSet:
    """Pictures with a published test split.

    The last `validation` training examples, and at most a tenth of them, become the validation split. `names` are the
    published words for the classes.
    """
    require(len(train) > 0, f"{name} has no training examples")
    for split in (train, test):
        require(split.y is None or int(split.y.min()) >= 0, f"{name} has labels below its first class")  # type: ignore[union-attr]
    cut = len(train) - min(validation, len(train) // 10)
    conditions = () if train.y is None else describe(concatenated(train.y, test.y))
    if names and train.y is not None:
        most = max(int(y.max()) for y in (train.y, test.y))  # type: ignore[union-attr]
        require(most < len(names), f"{name} has a label {most}, but {len(names)} classes")
        conditions = (Classes(len(names), names),)
    parts = train.part(slice(cut)), train.part(slice(cut, None)), test
    return DataSet(name, *parts, conditions=conditions)


def shuffled_split(
    name: str,
    whole: Split,
    validation: int,
    test: int,
    domain: AnyDomain | None = None,
    columns: Sequence[str] = (),
    names: Sequence[Sequence[str]] = (),
) -> DataSet:
    """A data set whose splits are cut from one fixed shuffle, in the order training, validation, test.

    Args:
        name: name of the data set.
        whole: all examples.
        validation: number of validation examples.
        test: number of test examples.
        domain: domain of the values. If not given, they are real numbers, standardised by the training split.
        columns: names of the columns of a table.
        names: names of the classes, for each part of y.
    """
    n, y = len(whole), whole.y
    require(n >= validation + test + 1, f"{name} has {n} examples, too few to split")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    cuts = order.split((n - validation - test, validation, test))
    splits = [whole.part(rows) for rows in cuts]
    kinds = describe(y, names)
    if any(not isinstance(kind, Classes) for kind in kinds):  # real conditions are scaled by the training split alone
        of_train = describe(splits[0].take().y)
        kinds = tuple(k if isinstance(k, Classes) else o for k, o in zip(kinds, of_train, strict=True))
    notes: tuple[str, ...] = ()
    if domain is None:
        domain = Reals(*splits[0].moments(), tuple(columns), whole.x.dtype == torch.float64)
        constant = [i for i, scale in enumerate(domain.scale) if scale == 0]
        listed = ", ".join(columns[i] if columns else str(i) for i in constant[:10])
        notes = (f"columns without variance are not standardised: {listed}",) if constant else ()
    train_split, validation_split, test_split = splits
    return DataSet(name, train_split, validation_split, test_split, domain, kinds, notes)
