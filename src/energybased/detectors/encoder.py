"""Rows of a table as standardised numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]
LARGEST = 1e6  # of standardised entries, in standard deviations; distances of larger ones could not be told apart


@dataclass(frozen=True)
class Encoder:
    """Maps rows `(n, columns)` to `(n, d)` in float64, of which training rows have mean 0 and variance 1.

    A number becomes one entry, standardised; a category becomes one entry for each of its levels, 0 or 1, less its
    mean. An entry that is constant in training becomes 1 where it differs, and 0 elsewhere. A missing number is the
    column's median. Each column that lacks cells in training adds an entry that says whether the cell is missing, and
    one last entry counts missing cells of all other columns.

    Args:
        levels: the number of levels of each column, `(columns,)`; 0 for numbers. Categories are codes 0, 1, ...
        median: of each column, `(columns,)`.
        missing: which columns lack cells in training, `(columns,)`.
        mean: of the d entries.
        scale: standard deviation of the d entries; 1 for categories, 0 for constants.
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
        entries = raw._entries(x)
        size = np.maximum(np.abs(entries).max(0), 1e-300)  # so that no sum overflows
        mean, scale = (entries / size).mean(0) * size, (entries / size).std(0) * size
        of_categories = np.repeat(levels > 0, np.maximum(levels, 1))
        scale[: len(of_categories)][of_categories] = 1.0  # their entries keep their units
        constant = entries.max(0) == entries.min(0)
        mean[constant], scale[constant] = entries[0, constant], 0.0
        return Encoder(levels, median, raw.missing, mean, scale)

    def __call__(self, x: Array) -> Tensor:
        entries = self._entries(x)
        with np.errstate(over="ignore"):
            far = (entries - self.mean) / np.where(self.scale > 0, self.scale, 1.0)
        changed = (entries != self.mean).astype(np.float64)
        return torch.from_numpy(np.where(self.scale > 0, np.clip(far, -LARGEST, LARGEST), changed))

    def _entries(self, x: Array) -> Array:
        """The entries `(n, d)` of rows, not standardised."""
        absent = np.isnan(x)
        filled = np.where(absent, self.median, x)
        parts = []
        for column, count in enumerate(self.levels):
            values = filled[:, column : column + 1]
            parts.append((values == np.arange(count)) & ~absent[:, column : column + 1] if count else values)
        parts += [absent[:, self.missing], absent[:, ~self.missing].sum(1, keepdims=True)]
        if not self.levels.any():
            parts = [filled, *parts[-2:]]
        return np.concatenate(parts, 1, dtype=np.float64)

    @property
    def owners(self) -> Array:
        """The column of each of the d entries, `(d,)`; -1 for the count of missing cells."""
        own = np.repeat(np.arange(len(self.levels)), np.maximum(self.levels, 1))
        return np.concatenate([own, np.flatnonzero(self.missing), [-1]])
