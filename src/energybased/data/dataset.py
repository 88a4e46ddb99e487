"""A data set: three splits, each x with conditions y if there are any."""

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
    """Examples x `(n, *event)` as they are stored, and y.

    Args:
        x: bytes or floats; may lie in a file that is mapped into memory.
        y: class numbers `(n,)`, real vectors `(n, *shape)`, a tuple of such, or None.
        index: the rows of x and y that the split has, in its order; all if not given.
        file: the `.npy` file that x is mapped from, if it is not in memory.
    """

    x: Tensor
    y: Condition | None = None
    index: Tensor | None = None
    file: Path | None = None

    def __len__(self) -> int:
        return len(self.x) if self.index is None else len(self.index)

    def take(self, rows: Rows = ALL) -> Split:
        """These rows, in memory."""
        rows = rows if self.index is None else self.index[rows]
        return Split(self.x[rows].contiguous(), rows_of(self.y, rows))

    def moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each entry of x, 0 where it does not vary."""
        return moments(self.x, self.index)

    def part(self, rows: Rows) -> Split:
        """These rows; what is mapped from a file stays there."""
        if self.file is None:
            return self.take(rows)
        index = torch.arange(len(self.x)) if self.index is None else self.index
        return replace(self, index=index[rows])


@dataclass(frozen=True)
class DataSpec:
    """What a model has to know of the data that it is trained on.

    Args:
        event: shape of one example.
        domain: what the values are.
        conditions: kinds of y; empty if there is none.
        name: of the data set.
    """

    event: tuple[int, ...]
    domain: AnyDomain = Reals()
    conditions: Conditions = ()
    name: str = ""


@dataclass(frozen=True)
class DataSet:
    """Three splits of examples: train on `train`, choose settings on `validation`, report on `test`.

    Args:
        name: of the data set.
        train: examples to learn from.
        validation: examples to choose settings by.
        test: examples to report on.
        domain: what the values are.
        conditions: kinds of y.
        notes: what was done to the files.
        holdout: a class that only the test split has, to be detected.
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
        """Number of classes, 0 if a class is not the one condition."""
        return classes_of(self.conditions)

    @property
    def spec(self) -> DataSpec:
        """What a model stores of its data set."""
        return DataSpec(self.event, self.domain, self.conditions, self.name)

    @property
    def splits(self) -> tuple[Split, Split, Split]:
        """The training, validation and test split."""
        return self.train, self.validation, self.test

    def values(self, split: Split, rows: Rows = ALL) -> Tensor:
        """These rows of a split's x in the user's units, floats `(rows, *event)`."""
        return self.domain.read(split.take(rows).x)

    def noted(self, *notes: str) -> DataSet:
        """The data set with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def sha256(self) -> str:
        """A hash of every value in every split."""
        return fingerprint([t for s in self.splits for t in (s.file or s.x, s.index, *tensors(s.y))])


def published(name: str, train: Split, test: Split, validation: int) -> DataSet:
    """Pictures with a published test split: the last examples of the training split are kept to choose on."""
    require(len(train) > validation, f"{name} has {len(train)} training examples, too few to keep {validation}")
    for split in (train, test):
        require(split.y is None or int(split.y.min()) >= 0, f"{name} has labels below its first class")  # type: ignore[union-attr]
    cut, y = len(train) - validation, None
    if train.y is not None:
        y = describe(concatenated(train.y, test.y))
    parts = train.part(slice(cut)), train.part(slice(cut, None)), test
    return DataSet(name, *parts, conditions=y or ())


def shuffled_split(
    name: str,
    whole: Split,
    validation: int,
    test: int,
    domain: AnyDomain | None = None,
    columns: Sequence[str] = (),
    names: Sequence[Sequence[str]] = (),
) -> DataSet:
    """Splits by one fixed shuffle: the last `test` examples, before them `validation`, the rest to train on.

    Args:
        domain: what the values are; real numbers, standardised by the training split, if not given.
        columns: names of the entries of a table.
        names: of the classes, for each part of y.
    """
    n, y = len(whole), whole.y
    require(n >= validation + test + 1, f"{name} has {n} examples, too few to split")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    cuts = order.split((n - validation - test, validation, test))
    splits = [whole.part(rows) for rows in cuts]
    kinds = describe(y, names)
    if any(not isinstance(kind, Classes) for kind in kinds):  # the training split alone says how conditions are scaled
        own = describe(splits[0].take().y)
        kinds = tuple(k if isinstance(k, Classes) else o for k, o in zip(kinds, own, strict=True))
    notes: tuple[str, ...] = ()
    if domain is None:
        domain = Reals(*splits[0].moments(), tuple(columns), whole.x.dtype == torch.float64)
        constant = [i for i, scale in enumerate(domain.scale) if scale == 0]
        told = ", ".join(columns[i] if columns else str(i) for i in constant[:10])
        notes = (f"columns without variance are kept out of the scale: {told}",) if constant else ()
    train, chosen, held = splits
    return DataSet(name, train, chosen, held, domain, kinds, notes)
