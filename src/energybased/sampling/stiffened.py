"""Kernels with other steps: for an energy to which a term of known curvature was added, and for other units."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from energybased.errors import require
from energybased.sampling.langevin import Langevin


def stiffened(kernel: Any, curvature: float) -> tuple[Any, float]:
    """The kernel with a shorter step, for an energy with an added term, and the factor by which it is shorter.

    A kernel of step h is stable if h^2 times the largest curvature of the energy is below a bound. It is taken to be
    tuned for curvatures up to 1 / h^2; the sum of both curvatures needs the step h / sqrt(1 + h^2 curvature).

    Args:
        kernel: a frozen dataclass with a `step_size`; any other kernel is returned unchanged.
        curvature: largest second derivative of the added term, in nats per squared unit of x.

    >>> from energybased.sampling import Underdamped
    >>> stiffened(Underdamped(0.5), 12.0)
    (Underdamped(step_size=0.25, persistence=0.9), 0.5)
    """
    require(0 <= curvature < math.inf, f"a curvature must be finite and not negative, got {curvature}")
    if not hasattr(kernel, "step_size"):
        return kernel, 1.0
    step = kernel.noise_scale if isinstance(kernel, Langevin) else kernel.step_size
    factor = 1 / math.sqrt(1 + step**2 * curvature)
    return scaled(kernel, factor), factor


def scaled(kernel: Any, factor: float) -> Any:
    """The kernel for an energy of factor * x: with steps `factor` times as long, at the same temperature.

    Args:
        kernel: a frozen dataclass with a `step_size`; any other kernel is returned unchanged.

    >>> from energybased.sampling import Langevin
    >>> scaled(Langevin(step_size=1.0, noise_scale=0.5), 2.0)
    Langevin(step_size=4, noise_scale=1, noise_first=True; temperature 0.125)
    """
    if isinstance(kernel, Langevin):
        return replace(kernel, step_size=kernel.step_size * factor**2, noise_scale=kernel.noise_scale * factor)
    return replace(kernel, step_size=kernel.step_size * factor) if hasattr(kernel, "step_size") else kernel
