"""Rows of a table as standardised numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


@dataclass(frozen=True)
class Encoder:
    """Maps rows `(n, columns)` to `(n, d)` in float64, of which training rows have mean 0 and variance 1.

    A number becomes one entry, standardised; a category becomes one entry for each of its levels, 0 or 1, less its
    mean. A missing number is the column's median. Each column that lacks cells in training adds an entry that says
    whether the cell is missing, and one last entry counts missing cells of all other columns.

    Args:
        levels: the number of levels of each column, `(columns,)`; 0 for numbers. Categories are codes 0, 1, ...
        median: of each column, `(columns,)`.
        missing: which columns lack cells in training, `(columns,)`.
        mean: of the d entries.
        scale: standard deviation of the d entries; 1 for constants and for categories.
    """

    levels: Array
    median: Array
    missing: Array
    mean: Array
    scale: Array

    @staticmethod
    def fit(x: Array, levels: Array) -> Encoder:
        """The encoder of training rows x `(n, columns)`, in which missing cells are NaN."""
        absent = np.isnan(x)
        median = np.zeros(x.shape[1])
        for column in np.flatnonzero(~absent.all(0)):
            median[column] = np.median(x[~absent[:, column], column])
        raw = Encoder(levels, median, np.asarray(absent.any(0)), np.zeros(1), np.ones(1))
        entries = raw(x).numpy()
        mean, scale = entries.mean(0), entries.std(0)
        kept = np.repeat(levels > 0, np.maximum(levels, 1))  # the entries of categories keep their units
        scale[: len(kept)][kept] = 1.0
        constant = scale <= 1e-12 * np.abs(mean)
        scale[constant | (scale == 0)] = 1.0
        return Encoder(levels, median, raw.missing, mean, scale)

    def __call__(self, x: Array) -> Tensor:
        absent = np.isnan(x)
        filled = np.where(absent, self.median, x)
        parts = []
        for column, count in enumerate(self.levels):
            values = filled[:, column : column + 1]
            parts.append((values == np.arange(count)) & ~absent[:, column : column + 1] if count else values)
        parts += [absent[:, self.missing], absent[:, ~self.missing].sum(1, keepdims=True)]
        entries = (
            np.concatenate(parts, 1, dtype=np.float64)
            if self.levels.any()
            else np.concatenate([filled, *parts[-2:]], 1, dtype=np.float64)
        )
        return torch.from_numpy((entries - self.mean) / self.scale)

    @property
    def owners(self) -> Array:
        """The column of each of the d entries, `(d,)`; -1 for the count of missing cells."""
        own = np.repeat(np.arange(len(self.levels)), np.maximum(self.levels, 1))
        return np.concatenate([own, np.flatnonzero(self.missing), [-1]])
