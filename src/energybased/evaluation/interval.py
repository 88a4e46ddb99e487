"""Confidence intervals."""

from __future__ import annotations


def binomial_interval(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of Clopper & Pearson 1934 for a probability, of which n independent trials had `hits` successes.

    It holds the probability in at least the fraction `level` of all experiments.

    >>> low, high = binomial_interval(0, 100)
    >>> low, round(high, 4)
    (0.0, 0.0362)
    """
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0
    return low, high
