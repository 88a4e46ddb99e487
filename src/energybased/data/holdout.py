"""Data with one class held out of training, to be detected."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from energybased.conditions import concatenated
from energybased.data.dataset import DataSet, Split
from energybased.errors import require

TRAINED = 0.8  # of the in-distribution examples, where all are pooled
SEED = 42


def hold_out(data: DataSet, label: int, pooled_split: bool = False) -> DataSet:
    """`data` without this class in the training and validation splits; the test split has it.

    Args:
        label: number of the class that is out of distribution.
        pooled_split: pool all examples and shuffle them; a fifth of the in-distribution ones and all of the class are
            the test split (Zenati et al. 2018). Otherwise the test split stays as it is.

    Raises:
        UserError: if there is no such class, or no other.
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
    chosen = min(len(data.validation), cut // 10)
    test = torch.cat([rows[cut:], (labels == label).nonzero()[:, 0]])
    train, validation, held = (whole.take(r) for r in (rows[: cut - chosen], rows[cut - chosen : cut], test))
    return replace(data, train=train, validation=validation, test=held)


def split_holdout(data: DataSet) -> tuple[DataSet, Tensor]:
    """The data with the in-distribution examples of the test split alone, and the held-out class `(n, *event)`."""
    labels = _labels(data.test)
    out = labels == torch.full_like(labels, -1 if data.holdout is None else data.holdout)
    return replace(data, test=_where(data.test, ~out)), data.values(data.test, out.nonzero()[:, 0])


def _where(split: Split, keep: Tensor) -> Split:
    return split.part(keep.nonzero()[:, 0])


def _labels(split: Split) -> Tensor:
    y = split.take(slice(None)).y if split.file is None else split.y
    assert isinstance(y, Tensor)
    return y if split.file is None or split.index is None else y[split.index]
