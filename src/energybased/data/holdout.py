"""Data with one class held out of training, as out-of-distribution examples."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from energybased.conditions import concatenated
from energybased.data.dataset import DataSet, Split
from energybased.errors import require

TRAINED = 0.8  # fraction of the pooled in-distribution examples that is not in the test split
SEED = 42


def hold_out(data: DataSet, label: int, pooled_split: bool = False) -> DataSet:
    """A copy of `data` without one class in the training and validation splits. The test split keeps the class.

    Args:
        data: the data set.
        label: number of the out-of-distribution class.
        pooled_split: pool and shuffle the examples of all splits. The test split then has a fifth of the
            in-distribution examples and the whole class (Zenati et al. 2018).

    Raises:
        UserError: if there is no such class, or no other class.
    """
    require(0 <= label < data.classes, f"{data.name} has {data.classes} classes, and {label} is none of them")
    require(bool((_labels(data.train) != label).any()), f"{data.name} has no class but {label}")
    data = replace(data, holdout=label)
    if not pooled_split:
        train, validation = (_where(split, _labels(split) != label) for split in (data.train, data.validation))
        return replace(data, train=train, validation=validation)
    splits = [split.take() for split in data.splits]
    x, y = torch.cat([split.x for split in splits]), concatenated(*(split.y for split in splits))
    whole = Split(x, y)
    labels = _labels(whole)
    rows = (labels != label).nonzero()[:, 0]
    rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(SEED))]
    cut = round(TRAINED * len(rows))
    validation_size = min(len(data.validation), cut // 10)
    test_rows = torch.cat([rows[cut:], (labels == label).nonzero()[:, 0]])
    start = cut - validation_size
    train, validation, test = (whole.take(r) for r in (rows[:start], rows[start:cut], test_rows))
    return replace(data, train=train, validation=validation, test=test)


def split_holdout(data: DataSet) -> tuple[DataSet, Tensor]:
    """The data with only in-distribution examples in the test split, and the held-out class `(n, *event)`."""
    labels = _labels(data.test)
    out = labels == torch.full_like(labels, -1 if data.holdout is None else data.holdout)
    return replace(data, test=_where(data.test, ~out)), data.values(data.test, out.nonzero()[:, 0])


def _where(split: Split, keep: Tensor) -> Split:
    return split.part(keep.nonzero()[:, 0])


def _labels(split: Split) -> Tensor:
    y = split.take(slice(None)).y if split.file is None else split.y
    assert isinstance(y, Tensor)
    return y if split.file is None or split.index is None else y[split.index]
