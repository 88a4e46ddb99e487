"""Whether new rows come from the distribution of the training rows."""

from __future__ import annotations

import numpy as np
from scipy.stats import fisher_exact, ks_2samp

from energybased.detectors.encoder import Array

FEW = 30  # cells, below which the asymptotic p-value is too small


def drift(train: Array, new: Array) -> tuple[float, int]:
    """The p-value of the hypothesis that two tables have the same columns, and the column that differs most.

    The cells of each column are compared by the two-sample test of Kolmogorov and Smirnov, and the shares of missing
    cells by Fisher's exact test. The smallest p-value is multiplied by the number of tests (Bonferroni). Changes of how
    columns depend on each other are not seen.

    Args:
        train: `(n, columns)`, with NaN where a cell is missing.
        new: `(m, columns)`.
    """
    found = []
    for column in range(train.shape[1]):
        a, b = (rows[~np.isnan(rows[:, column]), column] for rows in (train, new))
        method = "exact" if min(len(a), len(b)) < FEW else "asymp"
        cells = float(ks_2samp(a, b, method=method).pvalue) if len(a) and len(b) else 1.0
        missing = float(fisher_exact([[len(a), len(train) - len(a)], [len(b), len(new) - len(b)]])[1])
        found.append(min(cells, missing))
    place = int(np.argmin(found))
    return min(1.0, 2 * found[place] * len(found)), place
