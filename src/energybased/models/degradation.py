"""What was done to an example, from which a model restores it.

A model learns the density of v = x + noise eps, where x is an example and `noise` what the recipe added to the data. A
degraded example y says something about x. Before chains over v are conditioned on it, random noise is added to y until
it is what a measurement of v would be: p(y | v) is then exact, and so is the conditional density of v that the chains
sample. The random noise is drawn once for each chain. It costs information that the model, which has never seen less
noise, could not use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from energybased.broadcast import per_row
from energybased.data import DataSpec, Pixels
from energybased.energies import Contaminated, Measured
from energybased.energy import Energy, as_tensor
from energybased.errors import require
from energybased.models.model import checked

SOFTNESS = 0.5  # least standard deviation of a measurement of v, in units of the model's noise
LEAST_SIGMA = 0.02  # and in [0, 1]; the step of the chains is proportional to it


class Evidence(NamedTuple):
    """What a degraded example says about v, in the model's units.

    Args:
        start: first states of the chains, `(n, *event)`.
        fresh: True at entries that start where chains of the model start; broadcastable to `start`, or None.
        pinned: True at entries that stay as in `start`; broadcastable to `start`, or None.
        energy: -log p(y | v) of the other entries; None if it is constant.
        curvature: largest second derivative of this energy.
    """

    start: Tensor
    fresh: Tensor | None = None
    pinned: Tensor | None = None
    energy: Energy | None = None
    curvature: float = 0.0


@runtime_checkable
class Degradation(Protocol):
    """What was done to examples x `(n, *event)`. y is what is left of them, in the units of the user."""

    def apply(self, x: Tensor, generator: Generator) -> Tensor:
        """Degrades examples x `(n, *event)`."""
        ...

    def check(self, y: Tensor, spec: DataSpec) -> Tensor:
        """y, after a check of its shape and values, without entries that are unknown.

        Raises:
            UserError: if y cannot be an example of this spec that was degraded so.
        """
        ...

    def evidence(self, y: Tensor, noise: float, generator: Generator) -> Evidence:
        """What y `(n, *measured)`, in the model's units, says about v = x + noise eps."""
        ...

    def likelihood(self, y: Tensor, sigma: float) -> Energy:
        """-log p(y | m) for x = m + sigma eps, up to a constant, as an energy of m `(n, *event)`."""
        ...

    def merge(self, y: Tensor, x: Tensor) -> Tensor:
        """The restored x `(n, *event)`, with the entries that y tells exactly."""
        ...


def normal(like: Tensor, generator: Generator) -> Tensor:
    """Standard normal numbers in the shape `(n, *event)` of `like`, drawn on the device of the generator."""
    return torch.randn(like.shape, generator=generator, dtype=like.dtype, device=generator.device).to(like.device)


@dataclass(frozen=True, eq=False)
class Missing:
    """Some entries are missing, and the others are exact. The known entries of v are x + noise eps, and pinned.

    Args:
        free: boolean, broadcastable to x `(n, *event)`; True at entries that are missing.

    Raises:
        UserError: if `free` is not a boolean tensor, or no entry is missing, or all are.
    """

    free: Tensor

    def __post_init__(self) -> None:
        require(isinstance(self.free, Tensor) and self.free.dtype == torch.bool, "free must be a boolean mask")
        require(bool(self.free.any()), "the mask frees nothing: no entry is missing")
        require(not bool(self.free.all()), "the mask frees everything: sample the model instead")

    def apply(self, x: Tensor, generator: Generator) -> Tensor:
        return x.masked_fill(self._free(x), 0.5)

    def check(self, y: Tensor, spec: DataSpec) -> Tensor:
        y = as_tensor(y)
        shape = tuple(y.shape)
        pairs = zip(self.free.shape[::-1], shape[::-1], strict=False)
        fits = self.free.ndim <= len(shape) and all(a in (1, b) for a, b in pairs)
        require(fits, f"free, {tuple(self.free.shape)}, does not broadcast to x, {shape}")
        return checked(y, spec, self._free(y)).masked_fill(self._free(y), 0.0)

    def evidence(self, y: Tensor, noise: float, generator: Generator) -> Evidence:
        free = self._free(y)
        return Evidence(y + noise * normal(y, generator) if noise else y, free, ~free)

    def likelihood(self, y: Tensor, sigma: float) -> Energy:
        return Measured(y, torch.where(self._free(y), torch.inf, sigma).to(y))

    def merge(self, y: Tensor, x: Tensor) -> Tensor:
        return torch.where(self._free(y), x.to(y), y)

    def _free(self, x: Tensor) -> Tensor:
        return self.free.to(x.device).expand(x.shape)


@dataclass(frozen=True)
class GaussianNoise:
    """y = x + sigma eps. Where sigma exceeds the model's noise, y is v with more noise, and nothing is added to it.

    Args:
        sigma: standard deviation, in pixel values of [0, 1].

    Raises:
        UserError: if sigma is not positive.
    """

    sigma: float

    def __post_init__(self) -> None:
        require(self.sigma > 0, f"the standard deviation of noise must be positive, got {self.sigma:g}")

    def apply(self, x: Tensor, generator: Generator) -> Tensor:
        return x + self.sigma * normal(x, generator)

    def check(self, y: Tensor, spec: DataSpec) -> Tensor:
        return measured(y, spec, spec.event)

    def evidence(self, y: Tensor, noise: float, generator: Generator) -> Evidence:
        total = max(self.sigma**2, noise**2 * (1 + SOFTNESS**2), LEAST_SIGMA**2)
        left = math.sqrt(total - noise**2)
        seen = y + math.sqrt(total - self.sigma**2) * normal(y, generator) if total > self.sigma**2 else y
        return Evidence(seen, energy=Measured(seen, left), curvature=left**-2)

    def likelihood(self, y: Tensor, sigma: float) -> Energy:
        return Measured(y, math.hypot(sigma, self.sigma))

    def merge(self, y: Tensor, x: Tensor) -> Tensor:
        return x


@dataclass(frozen=True)
class SaltPepper:
    """A share of the pixels was set to 0 or 1, with equal probability; the others are exact.

    A pixel strictly between is exact, and pinned with noise as in `Missing`. A pixel at 0 or 1 may have been so before:
    the share of such pixels in the picture, less those that were set, gives the probability that it was (`kept`). Its
    energy is that of a `Contaminated` measurement.

    Args:
        share: expected part of the pixels that were set, in (0, 1).

    Raises:
        UserError: if the share is not between 0 and 1.
    """

    share: float

    def __post_init__(self) -> None:
        require(0 < self.share < 1, f"the share of salt and pepper is between 0 and 1, got {self.share:g}")

    def apply(self, x: Tensor, generator: Generator) -> Tensor:
        """All channels of a pixel are set together."""
        drawn = torch.rand((len(x), 1, *x.shape[2:]), generator=generator, device=generator.device).to(x.device)
        x = torch.where(drawn < self.share / 2, 0.0, x)
        return torch.where(drawn > 1 - self.share / 2, 1.0, x)

    def check(self, y: Tensor, spec: DataSpec) -> Tensor:
        y = measured(y, spec, spec.event)
        some = bool(((y <= 0) | (y >= 1)).any())
        require(some, "no pixel is 0 or 1, so there is no salt or pepper: is it gaussian noise?")
        return y

    def kept(self, y: Tensor) -> Tensor:
        """The probability that an entry of y `(n, *event)` is exact: 1 if it is strictly between 0 and 1."""
        probability = torch.ones_like(y)
        for extreme in (y <= 0, y >= 1):
            found = extreme.flatten(1).float().mean(1).clamp(min=1e-12).to(y)
            exact = per_row((1 - 0.5 * self.share / found).clamp(0, 1), y)
            probability = torch.where(extreme, exact, probability)
        return probability

    def evidence(self, y: Tensor, noise: float, generator: Generator) -> Evidence:
        kept = self.kept(y)
        sure, sigma = (y > 0) & (y < 1), max(SOFTNESS * noise, LEAST_SIGMA)
        eps, other = normal(y, generator), normal(y, generator)
        start = y + noise * eps
        unsure = Contaminated(start + SOFTNESS * noise * other, sigma, kept.masked_fill(sure, 0.0))
        return Evidence(start, kept < 0.5, sure, unsure, sigma**-2)

    def likelihood(self, y: Tensor, sigma: float) -> Energy:
        return Contaminated(y, sigma, self.kept(y))

    def merge(self, y: Tensor, x: Tensor) -> Tensor:
        return torch.where((y > 0) & (y < 1), y, x.to(y))


def measured(y: Tensor, spec: DataSpec, shape: tuple[int, ...]) -> Tensor:
    """y after a check that it holds pictures `(n, *shape)`. Noise may have moved them out of [0, 1].

    Raises:
        UserError: if the model is none of pixels, or y is not of this shape or not finite.
    """
    pictures = isinstance(spec.domain, Pixels) and spec.domain.view(spec.event) == "pictures"
    require(pictures, "the examples of this model are no pictures: only missing entries can be restored")
    y = as_tensor(y)
    require(y.is_floating_point(), "y must be a tensor of floating-point numbers")
    wanted = f"y must be (n, {', '.join(map(str, shape))}), got {tuple(y.shape)}"
    require(tuple(y.shape[1:]) == tuple(shape) and len(y) >= 1, wanted)
    require(bool(y.isfinite().all()), "y holds values that are not finite")
    return y


def encoded(y: Tensor, spec: DataSpec, place: Tensor) -> Tensor:
    """Degraded y `(n, *measured)` in the model's units, on the device and in the dtype of `place`.

    What has another shape than examples, such as a picture of less resolution, is of pixels, which keep their units.
    """
    whole = tuple(y.shape[1:]) == tuple(spec.event)
    return (spec.domain.encode(y) if whole else y).to(place)


def as_degradation(free: Tensor | None, degradation: Degradation | None) -> Degradation:
    """The degradation, or `Missing` with a boolean mask `free` that is broadcastable to `(n, *event)`.

    Raises:
        UserError: if not one of them is given.
    """
    require(
        (free is None) != (degradation is None), "restore needs either free, a mask of missing entries, or degradation"
    )
    known = degradation is None or (isinstance(degradation, Degradation) and not isinstance(degradation, type))
    require(known, f"a degradation is Missing, GaussianNoise, SaltPepper, Blur or LowResolution, got {degradation!r}")
    return Missing(free) if degradation is None else degradation  # type: ignore[arg-type]
