"""The outcome of a statistical test."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from energybased.errors import require
from energybased.evaluation.enough import require_enough


class Outcome(NamedTuple):
    """The statistic of a test and its p-value.

    Args:
        value: the statistic; large values speak against the hypothesis.
        p_value: in (0, 1]. Under the hypothesis it is at most p with a probability of about p.
    """

    value: float
    p_value: float

    @staticmethod
    def of(value: Tensor, null: Tensor) -> Outcome:
        """The outcome of a statistic, 0-d, given draws `(n,)` of it under the hypothesis (Phipson & Smyth 2010)."""
        return Outcome(float(value), float(1 + (null >= value).sum()) / (1 + len(null)))


def as_rows(x: Tensor, fewest: int = 2) -> Tensor:
    """x `(n, *event)` as rows `(n, dim)` in float64 on the CPU.

    Raises:
        TooFew: if there are fewer than `fewest` rows.
        UserError: if values are not finite.
    """
    require(x.ndim >= 2, f"a test needs rows, got a tensor of shape {tuple(x.shape)}")
    require_enough("a test", fewest, len(x))
    require(bool(x.isfinite().all()), "a test needs finite values")
    return x.detach().flatten(1).double().cpu()


def squared_median_distance(x: Tensor) -> float:
    """The squared median of |x_i - x_j| over pairs of different rows of x `(n, dim)`, a common bandwidth of kernels.

    Raises:
        UserError: if all rows are equal.
    """
    distances = torch.pdist(x)
    distances = distances[distances > 0]
    require(len(distances) > 0, "a test needs rows that differ, but all are equal")
    return float(distances.median()) ** 2
