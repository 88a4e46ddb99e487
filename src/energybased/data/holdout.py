"""Data with one class left out, to be found again."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from energybased.data.dataset import DataSet, Split
from energybased.errors import require

TRAINED = 0.8  # of the ordinary examples, where all are pooled
SEED = 42


def hold_out(data: DataSet, label: int, pooled_split: bool = False) -> DataSet:
    """`data` without this class in what is trained and chosen on; the test split has it.

    Args:
        label: of the class that is strange.
        pooled_split: all examples shuffled together: a fifth of the in-distribution ones and
            all others are held out (the split of Zenati et al. 2018). Otherwise the test split stays as it is.
    """
    require(0 <= label < data.classes, f"{data.name} has {data.classes} classes, and {label} is none of them")
    require(bool((_labels(data.train) != label).any()), f"{data.name} has no class but {label}")
    if not pooled_split:
        return replace(data, train=_ordinary(data.train, label), validation=_ordinary(data.validation, label))
    splits = (data.train, data.validation, data.test)
    x, y = torch.cat([split.x for split in splits]), torch.cat([_labels(split) for split in splits])
    ordinary, strange = (y != label).nonzero()[:, 0], (y == label).nonzero()[:, 0]
    ordinary = ordinary[torch.randperm(len(ordinary), generator=torch.Generator().manual_seed(SEED))]
    cut = round(TRAINED * len(ordinary))
    chosen = min(len(data.validation), cut // 10)
    fitted, validation, test = ordinary[: cut - chosen], ordinary[cut - chosen : cut], ordinary[cut:]
    rows = (fitted, validation, torch.cat([test, strange]))
    train, chosen_on, held = (Split(x[r], y[r]) for r in rows)
    return replace(data, train=train, validation=chosen_on, test=held)


def split_holdout(data: DataSet, label: int) -> tuple[DataSet, Tensor]:
    """The data with the ordinary examples of the test split alone, and its strange ones `(n, *event)`."""
    return replace(data, test=_ordinary(data.test, label)), data.test.pixels()[_labels(data.test) == label]


def _ordinary(split: Split, label: int) -> Split:
    keep = _labels(split) != label
    return Split(split.x[keep], _labels(split)[keep])


def _labels(split: Split) -> Tensor:
    assert split.y is not None
    return split.y
