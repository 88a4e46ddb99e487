"""ImageNet at 32x32 (Chrabaszcz et al. 2017)."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from energybased.data.batches import read_batches
from energybased.data.dataset import DataSet, Split, published
from energybased.data.source import Source

FOLDER = "imagenet32"


def imagenet32(root: str | None) -> DataSet:
    """1.28 million photographs of a thousand classes; the published validation split is held out.

    Its batch files train_data_batch_1 ... 10 and val_data are given out by image-net.org to those who sign up.
    """
    place = Source(FOLDER).locate(root)
    train = _from_zero(read_batches(place, FOLDER, [f"train_data_batch_{i}" for i in range(1, 11)], "labels"))
    test = _from_zero(read_batches(place, FOLDER, ["val_data"], "labels"))
    return published("imagenet32", train, test, min(10_000, len(train) // 10))


def _from_zero(split: Split) -> Split:
    """Its labels are counted from one."""
    assert isinstance(split.y, Tensor)
    return replace(split, y=split.y - 1)
