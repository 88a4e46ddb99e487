"""The kernel distance between two sets of features."""

from __future__ import annotations

import torch
from torch import Tensor

from energybased.errors import require
from energybased.evaluation.enough import require_enough
from energybased.evaluation.finite import require_finite
from energybased.evaluation.jackknife import GROUPS, WithError, groups, jackknife_error


def kernel_distance(x: Tensor, y: Tensor) -> WithError:
    """The squared maximum mean discrepancy of features for the kernel (x.y / d + 1)^3 (Bińkowski et al. 2018).

    It is mean k(x, x') + mean k(y, y') - 2 mean k(x, y), without the pairs of a row with itself. This is unbiased: the
    mean over many samples of one distribution is 0, and a value can be negative. All rows are used at once, where the
    authors average over subsets of 1,000 rows, which has the same mean and a larger error. The error is that of
    leaving out each of ten groups of rows in turn; for equal distributions it is too large on average.

    Args:
        x: features of one set, `(n, d)`.
        y: features of the other, `(m, d)`.

    Raises:
        UserError: if the numbers of features differ, features are not finite, or there are fewer than 30 rows on a
            side.
    """
    require(x.ndim == y.ndim == 2 and x.shape[1] == y.shape[1], f"features of {x.shape} and {y.shape} differ")
    require_enough("a kernel distance", 3 * GROUPS, len(x), len(y))
    require_finite("features", x, y)
    xx, yy, xy = _sums(x, x), _sums(y, y), _sums(x, y)
    for sums, rows in ((xx, x), (yy, y)):
        own = (rows.double().square().sum(1) / rows.shape[1] + 1) ** 3
        sums -= torch.diag(torch.stack([own[part].sum() for part in groups(len(rows))]))
    sizes = [torch.tensor([part.stop - part.start for part in groups(len(rows))]) for rows in (x, y)]

    def without(out: int) -> float:  # -1: with all groups
        keep = torch.arange(GROUPS) != out
        n, m = (int(size[keep].sum()) for size in sizes)
        within = xx[keep][:, keep].sum() / (n * (n - 1)) + yy[keep][:, keep].sum() / (m * (m - 1))
        return float(within - 2 * xy[keep][:, keep].sum() / (n * m))

    return WithError(without(-1), jackknife_error([without(i) for i in range(GROUPS)]))


def _sums(x: Tensor, y: Tensor) -> Tensor:
    """The sums of the kernel over the pairs of groups of x and groups of y, `(10, 10)`."""
    x, y = x.double(), y.double()
    found = torch.zeros(GROUPS, GROUPS, dtype=torch.float64)
    for i, a in enumerate(groups(len(x))):
        for j, b in enumerate(groups(len(y))):
            if x is y and j < i:
                found[i, j] = found[j, i]
                continue
            found[i, j] = ((x[a] @ y[b].T / x.shape[1] + 1) ** 3).sum()
    return found
