"""Verdicts with error rates: p-values of energies, and the false discovery rate of many of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Array = NDArray[Any]
QUARTER = float(norm.ppf(0.75))  # standard deviations from the median to a quartile of a normal distribution


def conformal(energies: Array, references: Sequence[Array]) -> Array:
    """Cross-conformal p-values `(n,)` (Vovk 2015): (1 + number of references >= the energy) / (1 + references).

    If the energies of a row and of the references are exchangeable, P(p <= a) is at most 2 a, and close to a in
    practice; with a single fold it is at most a. `EnergyDetector` fits the denoisers without a fold's rows, but each
    row is compared with the others by the same units, neighbours and tails. That is close to exchangeable if rows are
    many. It is not if there are fewer rows than columns, or if columns have tails as long as Cauchy's: p-values are
    then too small.

    Args:
        energies: of n rows by the energy of each fold, `(folds, n)`.
        references: for each fold, its sorted energies of training rows that it was not fitted to.
    """
    above = [len(own) - np.searchsorted(own, found) for found, own in zip(energies, references, strict=True)]
    return np.asarray((1 + np.sum(above, 0)) / (1 + sum(map(len, references))))


def empirical_null(energies: Array, references: Array) -> Array:
    """P-values `(n,)` under a normal distribution fitted to the middle of energies of training rows.

    It has their median and their upper quartile (after Efron 2004), which anomalies move little if they are few. It is
    right if the energies of normal rows are normally distributed. They often have longer tails: then more of the
    discoveries are false than was asked for.
    """
    median, high = np.quantile(references, [0.5, 0.75])
    return np.asarray(norm.sf((energies - median) / max((high - median) / QUARTER, 1e-12)))


def discoveries(p: Array, rate: float) -> Array:
    """Which of the p-values `(n,)` are discoveries at this false discovery rate (Benjamini & Hochberg 1995), boolean.

    >>> discoveries(np.array([0.01, 0.5, 0.06]), 0.1)
    array([ True, False,  True])
    """
    order = np.argsort(p)
    passed = np.flatnonzero(p[order] <= rate * np.arange(1, len(p) + 1) / len(p))
    found = np.zeros(len(p), dtype=bool)
    if len(passed):
        found[order[: passed[-1] + 1]] = True
    return found
