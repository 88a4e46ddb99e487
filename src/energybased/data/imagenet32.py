"""ImageNet at 32x32 (Chrabaszcz et al. 2017)."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from energybased.data.batches import read_batches
from energybased.data.dataset import DataSet, Split, published
from energybased.data.source import Source

FOLDER = "imagenet32"


def imagenet32(root: str | None) -> DataSet:
    """1.28 million photographs of a thousand classes. The published validation split is the test split.

    image-net.org gives out the batch files train_data_batch_1 to train_data_batch_10 and val_data to registered users.
    """
    place = Source(FOLDER).locate(root)
    train = _from_zero(read_batches(place, FOLDER, [f"train_data_batch_{i}" for i in range(1, 11)], "labels"))
    test = _from_zero(read_batches(place, FOLDER, ["val_data"], "labels"))
    return published("imagenet32", train, test, validation=10_000)


def _from_zero(split: Split) -> Split:
    """The split with labels counted from 0; the files count from 1."""
    assert isinstance(split.y, Tensor)
    return replace(split, y=split.y - 1)
