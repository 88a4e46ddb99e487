"""The maximum mean discrepancy of two samples."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from energybased.errors import require
from energybased.evaluation.outcome import Outcome, as_rows, squared_median_distance

PERMUTATIONS = 999


def maximum_mean_discrepancy(x: Tensor, y: Tensor, generator: Generator | None = None) -> Outcome:
    """The squared maximum mean discrepancy of two samples with a Gaussian kernel (Gretton et al. 2012).

    It is mean k(x_i, x_j) + mean k(y_i, y_j) - 2 mean k(x_i, y_j), the first two over i != j: an unbiased estimate that
    may be negative. k = exp(-|a - b|^2 / (2 h^2)), with the median distance of all rows as h. The p-value comes from
    999 permutations of the rows.

    Args:
        x: one sample, `(n, *event)`.
        y: the other, `(m, *event)`.
        generator: draws the permutations; torch's global generator if not given.

    Raises:
        UserError: for fewer than two rows, events that differ, or rows that are all equal.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(100, 2, generator=g)
    >>> maximum_mean_discrepancy(x, x + 1.0, g).p_value
    0.001
    """
    require(x.shape[1:] == y.shape[1:], f"rows of shape {tuple(x.shape[1:])} and {tuple(y.shape[1:])} differ")
    rows, n, m = torch.cat([as_rows(x), as_rows(y)]), len(x), len(y)
    kernel = (-torch.cdist(rows, rows).square() / (2 * squared_median_distance(rows))).exp().fill_diagonal_(0)
    place = torch.device("cpu") if generator is None else generator.device
    order = torch.rand(PERMUTATIONS, n + m, generator=generator, device=place).cpu().argsort(1)
    first = torch.zeros(1 + PERMUTATIONS, n + m, dtype=torch.float64)  # which rows are x, in each permutation
    first[0, :n] = 1
    first[1:].scatter_(1, order[:, :n], 1.0)
    of_first = first @ kernel.sum(1)
    xx = ((first @ kernel) * first).sum(1)
    xy = of_first - xx
    yy = kernel.sum() - xx - 2 * xy
    values = xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)
    return Outcome.of(values[0], values[1:])
