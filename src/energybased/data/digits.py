"""The 1,797 handwritten digits of 8x8 pixels that come with scikit-learn (Alpaydin & Kaynak 1998)."""

from __future__ import annotations

import torch

from energybased.data.dataset import DataSet, Split, shuffled_split
from energybased.data.domain import Pixels


def digits(root: str | None = None) -> DataSet:
    """x `(n, 1, 8, 8)` with 17 grey levels in [0, 1]; 1,000 to train on, 297 to choose on, 500 held out."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / 16
    return shuffled_split("digits", Split(x, torch.tensor(bunch.target)), 297, 500, Pixels())
