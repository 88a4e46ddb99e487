"""The 1,797 handwritten digits of 8x8 pixels that come with scikit-learn (Alpaydin & Kaynak 1998)."""

from __future__ import annotations

import torch

from energybased.data.dataset import DataSet, Split, shuffled_split
from energybased.data.domain import Pixels


def digits(root: str | None = None) -> DataSet:
    """8x8 pictures with 17 grey levels: 1,000 for training, 297 for validation and 500 for the test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / 16
    return shuffled_split("digits", Split(x, torch.tensor(bunch.target)), 297, 500, Pixels())
