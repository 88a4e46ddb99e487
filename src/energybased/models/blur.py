"""Blur and missing resolution: degradations y = A x + sigma eps with a separable linear A."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Generator, Tensor

from energybased.data import DataSpec
from energybased.energies import Measured
from energybased.energy import Energy
from energybased.errors import require
from energybased.models.degradation import LEAST_SIGMA, SOFTNESS, Evidence, measured, normal
from energybased.networks import Separable

INEXACT = 0.01  # noise of a blurred or scaled picture: its bytes are rounded, and its blur is not quite the one given


class Linear:
    """Base class of y = A x + sigma eps with a separable A, whose singular vectors are measured one by one."""

    sigma: float

    def operator(self, event: tuple[int, ...]) -> Separable:
        """A, for examples of shape `event`."""
        raise NotImplementedError

    def whole(self, y: Tensor) -> tuple[int, ...]:
        """The shape of the x that y `(n, *measured)` was made of."""
        raise NotImplementedError

    def upright(self, y: Tensor) -> Tensor:
        """y `(n, *measured)` in the shape `(n, *event)` of x."""
        raise NotImplementedError

    def apply(self, x: Tensor, generator: Generator) -> Tensor:
        made = self.operator(tuple(x.shape[1:])).to(x)(x)
        return made + self.sigma * normal(made, generator)

    def evidence(self, y: Tensor, noise: float, generator: Generator) -> Evidence:
        measure, change, values = self._spectral(y)
        own = (noise * values).square()
        least = (SOFTNESS**2 * own).clamp(min=LEAST_SIGMA**2 * float(noise == 0))
        left = (self.sigma**2 - own).clamp(min=least)  # variance of the measurement of each coordinate of v
        added = (left + own - self.sigma**2).clamp(min=0)
        seen = change(y)
        seen = seen + added.sqrt() * normal(seen, generator)
        curvature = float((values.square() / left).max())
        return Evidence(self.upright(y), energy=Measured(seen, left.sqrt(), measure), curvature=curvature)

    def likelihood(self, y: Tensor, sigma: float) -> Energy:
        measure, change, values = self._spectral(y)
        return Measured(change(y), ((sigma * values).square() + self.sigma**2).sqrt(), measure)

    def merge(self, y: Tensor, x: Tensor) -> Tensor:
        return x

    def _spectral(self, y: Tensor) -> tuple[Separable, Separable, Tensor]:
        measure, change, values = self.operator(self.whole(y)).spectral()
        return measure.to(y), change.to(y), values.to(y)


@dataclass(frozen=True)
class Blur(Linear):
    """A Gaussian blur, as of a picture out of focus, and Gaussian noise. Edges are continued outwards.

    Args:
        width: standard deviation of the blur, in pixels.
        sigma: standard deviation of the noise, in pixel values of [0, 1].

    Raises:
        UserError: if the width or sigma is not positive.
    """

    width: float
    sigma: float = INEXACT

    def __post_init__(self) -> None:
        require(0 < self.width < math.inf, f"the width of a blur must be positive, got {self.width:g}")
        require(self.sigma > 0, f"the standard deviation of noise must be positive, got {self.sigma:g}")

    def operator(self, event: tuple[int, ...]) -> Separable:
        return Separable.blur(event, self.width)

    def whole(self, y: Tensor) -> tuple[int, ...]:
        return tuple(y.shape[1:])

    def upright(self, y: Tensor) -> Tensor:
        return y

    def check(self, y: Tensor, spec: DataSpec) -> Tensor:
        y = measured(y, spec, spec.event)
        side = min(spec.event[1:])
        require(
            self.width <= side / 2, f"a blur of {self.width:g} pixels leaves nothing of pictures of {side} x {side}"
        )
        return y


@dataclass(frozen=True)
class LowResolution(Linear):
    """Blocks of factor x factor pixels were averaged, and Gaussian noise was added.

    Args:
        factor: width and height of a block.
        sigma: standard deviation of the noise, in pixel values of [0, 1].

    Raises:
        UserError: if the factor is less than 2, or sigma is not positive.
    """

    factor: int
    sigma: float = INEXACT

    def __post_init__(self) -> None:
        require(self.factor >= 2, f"the factor of a missing resolution must be at least 2, got {self.factor}")
        require(self.sigma > 0, f"the standard deviation of noise must be positive, got {self.sigma:g}")

    def operator(self, event: tuple[int, ...]) -> Separable:
        self.small(event)
        return Separable.average(event, self.factor)

    def whole(self, y: Tensor) -> tuple[int, ...]:
        return (y.shape[1], y.shape[2] * self.factor, y.shape[3] * self.factor)

    def upright(self, y: Tensor) -> Tensor:
        return y.repeat_interleave(self.factor, 2).repeat_interleave(self.factor, 3)

    def check(self, y: Tensor, spec: DataSpec) -> Tensor:
        return measured(y, spec, self.small(spec.event))

    def small(self, event: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the averages of an example of shape `event`. Raises `UserError` if the blocks do not fit."""
        sides = event[1:]
        fit = len(event) == 3 and all(side % self.factor == 0 for side in sides)
        require(fit, f"examples of shape {tuple(event)} cannot be cut into blocks of {self.factor} x {self.factor}")
        return (event[0], *(side // self.factor for side in sides))
