"""Standard errors by leaving out groups of examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

GROUPS = 10


class WithError(NamedTuple):
    """A value and its standard error."""

    value: float
    error: float


def groups(n: int) -> list[slice]:
    """n rows cut into 10 groups, which follow each other and differ in length by one row at the most.

    >>> [part.stop - part.start for part in groups(25)]
    [2, 3, 2, 3, 2, 3, 2, 3, 2, 3]
    """
    cuts = [n * i // GROUPS for i in range(GROUPS + 1)]
    return [slice(cuts[i], cuts[i + 1]) for i in range(GROUPS)]


def jackknife_error(left_out: Sequence[float]) -> float:
    """The standard error of an estimate, from the estimates without each of g groups (Efron & Stein 1981).

    It is ((g - 1) / g sum_i (t_i - mean t)^2)^(1/2), where t_i is the estimate without group i.
    """
    g, mean = len(left_out), math.fsum(left_out) / len(left_out)
    return math.sqrt((g - 1) / g * math.fsum((t - mean) ** 2 for t in left_out))
