"""The probability flow: a deterministic path from noise to samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from energybased.energy import Energy
from energybased.errors import require

RHO = 7.0  # how much the levels crowd at the low end (Karras et al. 2022)


def noise_levels(low: float, high: float, n: int) -> list[float]:
    """n levels of noise from `high` down to `low`, evenly spaced in sigma^(1/7) (Karras et al. 2022).

    >>> [round(sigma, 3) for sigma in noise_levels(0.01, 10.0, 3)]
    [10.0, 0.718, 0.01]
    """
    whole = isinstance(n, int) and n >= 2
    require(whole, f"a path through the levels of noise needs a whole number of them, at least 2, got {n}")
    top, bottom = high ** (1 / RHO), low ** (1 / RHO)
    return [float((top + (bottom - top) * i / (n - 1)) ** RHO) for i in range(n)]


@torch.no_grad()
def flow(at: Callable[[float], Energy], x: Tensor, levels: Sequence[float]) -> Iterator[Tensor]:
    """Follows dx / d sigma = sigma grad E(x | sigma) down the levels of noise, by Heun's method.

    If x has the density of data with noise of the first level, each later x has that of its level (Song et al. 2021).

    Args:
        at: the energy at a level of noise.
        x: at the first level, `(batch, *event)`.
        levels: from the highest.

    Yields:
        x at each level, `(batch, *event)`.
    """
    yield x
    for sigma, lower in pairwise(levels):
        slope = sigma * at(sigma).value_and_grad(x)[1]
        guess = x + (lower - sigma) * slope
        x = x + (lower - sigma) * (slope + lower * at(lower).value_and_grad(guess)[1]) / 2
        yield x
