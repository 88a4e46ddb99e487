"""Confidence intervals."""

from __future__ import annotations

TAIL = 0.025  # of the experiments miss the probability on each side, at most


def binomial_interval(hits: int, n: int) -> tuple[float, float]:
    """The interval of Clopper & Pearson 1934 for a probability, of which n independent trials had `hits` successes.

    It holds the probability in at least 95 % of all experiments.

    >>> low, high = binomial_interval(0, 100)
    >>> low, round(high, 4)
    (0.0, 0.0362)
    """
    from scipy.stats import beta

    low = float(beta.ppf(TAIL, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - TAIL, hits + 1, n - hits)) if hits < n else 1.0
    return low, high
