"""Means and covariances of features, computed part by part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from energybased.evaluation.enough import require_enough


@dataclass(frozen=True)
class Moments:
    """The number, mean and scatter matrix of rows of features, in float64.

    Args:
        count: number of rows.
        mean: their mean, `(d,)`.
        scatter: the sum over rows of (x - mean) (x - mean)^T, `(d, d)`.
    """

    count: int
    mean: Tensor
    scatter: Tensor

    @staticmethod
    def of(rows: Tensor) -> Moments:
        """The moments of rows `(n, d)`.

        >>> Moments.of(torch.tensor([[0.0, 1.0], [2.0, 1.0]])).covariance
        tensor([[2., 0.],
                [0., 0.]], dtype=torch.float64)
        """
        rows = rows.detach().cpu().double()
        mean = rows.mean(0)
        centred = rows - mean
        return Moments(len(rows), mean, centred.T @ centred)

    @staticmethod
    def streamed(parts: Iterable[Tensor]) -> Moments:
        """The moments of all rows of parts `(n, d)`, of which one at a time is in memory."""
        return reduce(Moments.joined, map(Moments.of, parts))

    def joined(self, other: Moments) -> Moments:
        """The moments of the rows of both (Chan, Golub & LeVeque 1983), which nothing cancels in; d is `(d,)` of each.

        With d = mean_b - mean_a, the scatter is S_a + S_b + d d^T n_a n_b / (n_a + n_b).
        """
        count, difference = self.count + other.count, other.mean - self.mean
        mean = self.mean + difference * (other.count / count)
        between = torch.outer(difference, difference * (self.count * other.count / count))
        return Moments(count, mean, self.scatter + other.scatter + between)

    @property
    def covariance(self) -> Tensor:
        """The unbiased covariance, `(d, d)`.

        Raises:
            TooFew: if there is only one row.
        """
        require_enough("a covariance", 2, self.count)
        return self.scatter / (self.count - 1)
