"""What the values of a data set are, and what follows from it.

A domain checks values, makes training batches of what is stored, says where fresh chains start and to what samples are
clipped, and converts between the user's units and those of the model. A new domain is a class here and a name in
`AnyDomain`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Union

import torch
from torch import Generator, Tensor

from energybased import conditions
from energybased.conditions import moments
from energybased.errors import require

View = Literal["pictures", "points", "curves", "rows"]
LEVELS = 256  # of a byte


@dataclass(frozen=True)
class Pixels:
    """Pixels in [0, 1], stored as bytes of 0 ... 255 or as floats; models see them as they are."""

    bounds: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    def check(self, x: Tensor, where: str = "the data") -> None:
        """Raises `UserError` unless x `(n, *event)` holds bytes, or floats in [0, 1]."""
        if x.dtype == torch.uint8 or x.numel() == 0:
            return
        require(x.is_floating_point(), f"{where} must hold bytes or floating-point values, not {x.dtype}")
        require(bool(finite_entries(x).all()), f"{where} holds values that are not finite")
        low, high = float(x.min()), float(x.max())
        advice = "divide by 255, or store them as bytes" if high > 1 and low >= 0 else "scale them"
        require(low >= 0 and high <= 1, f"{where} holds pixels in {low:g} ... {high:g} outside [0, 1]: {advice}")

    def read(self, stored: Tensor) -> Tensor:
        """Stored rows `(n, *event)` in the user's units: bytes scaled from 0 ... 255 to [0, 1]."""
        return stored.float() / (LEVELS - 1) if stored.dtype == torch.uint8 else stored

    def batch(self, stored: Tensor, generator: Generator) -> Tensor:
        """Stored rows `(n, *event)` as a batch: bytes as (x + u) / 256, u uniform in [0, 1) (Du & Mordatch 2019)."""
        if stored.dtype != torch.uint8:
            return stored
        noise = torch.rand(stored.shape, generator=generator, device=generator.device)
        return (stored + noise.to(stored.device)) / LEVELS

    def encode(self, x: Tensor) -> Tensor:
        """x `(n, *event)` from the user's units to the model's, which are the same."""
        return x

    def decode(self, x: Tensor) -> Tensor:
        """x `(n, *event)` from the model's units to the user's, clipped to [0, 1]."""
        return x.clamp(0, 1)

    def start(self, n: int, event: Sequence[int], generator: Generator, dtype: torch.dtype) -> Tensor:
        """n starts of chains `(n, *event)` in the model's units: uniform noise in [0, 1]."""
        return torch.rand((n, *event), generator=generator, dtype=dtype, device=generator.device)

    def view(self, event: Sequence[int]) -> View:
        """How examples are drawn."""
        return "pictures" if len(event) == 3 and event[0] in (1, 3) else "rows"


@dataclass(frozen=True)
class Reals:
    """Real numbers of any shape; models see (x - mean) / scale.

    Args:
        mean: of each entry of the flattened event, in the user's units; 0 if not given.
        scale: standard deviation of each entry; 1 if not given. An entry of scale 0 does not vary: models see
            x - mean there, and samples are the mean.
        columns: names of the entries of a table.
        double: whether the data are in float64, in which samples are then returned.
    """

    bounds: ClassVar[tuple[float, float] | None] = None

    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    columns: tuple[str, ...] = ()
    double: bool = False

    @staticmethod
    def fit(x: Tensor, columns: Sequence[str] = ()) -> Reals:
        """Standardises by the mean and standard deviation of training examples `(n, *event)`."""
        return Reals(*moments(x), tuple(columns), x.dtype == torch.float64)

    def check(self, x: Tensor, where: str = "the data") -> None:
        """Raises `UserError` unless x `(n, *event)` holds finite floating-point values."""
        require(x.dtype != torch.uint8, f"{where} holds bytes, which are pixels: use the domain Pixels, or floats")
        require(x.is_floating_point(), f"{where} must hold floating-point values, not {x.dtype}")
        finite = finite_entries(x)
        if self.columns and not bool(finite.all()):
            names = [name for name, good in zip(self.columns, finite.tolist(), strict=True) if not good]
            require(False, f"{where} holds values that are missing or not finite in {', '.join(names)}")
        require(bool(finite.all()), f"{where} holds values that are not finite")

    def read(self, stored: Tensor) -> Tensor:
        """Stored rows `(n, *event)` in the user's units, in which they are stored."""
        return stored

    def batch(self, stored: Tensor, generator: Generator) -> Tensor:
        """Stored rows `(n, *event)` as a training batch: standardised."""
        return self.encode(stored)

    def encode(self, x: Tensor) -> Tensor:
        """x `(n, *event)` from the user's units to the model's: (x - mean) / scale."""
        if not self.mean:
            return x
        mean, scale = self._moments(x)
        return ((x.double() - mean) / torch.where(scale > 0, scale, 1.0)).to(torch.get_default_dtype())

    def decode(self, x: Tensor) -> Tensor:
        """x `(n, *event)` from the model's units to the user's: mean + scale x."""
        if not self.mean:
            return x
        mean, scale = self._moments(x)
        return (mean + scale * x.double()).to(torch.float64 if self.double else x.dtype)

    def start(self, n: int, event: Sequence[int], generator: Generator, dtype: torch.dtype) -> Tensor:
        """n starts of chains `(n, *event)` in the model's units: standard normal."""
        return torch.randn((n, *event), generator=generator, dtype=dtype, device=generator.device)

    def view(self, event: Sequence[int]) -> View:
        """How examples are drawn."""
        return "points" if tuple(event) == (2,) else "curves" if len(event) == 2 else "rows"

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, scale = (torch.tensor(v, dtype=torch.float64, device=x.device) for v in (self.mean, self.scale))
        return mean.view(x.shape[1:]), scale.view(x.shape[1:])


def finite_entries(x: Tensor) -> Tensor:
    """Whether each entry of the flattened event is finite in all rows of x `(n, *event)`, looked at part by part."""
    size = max(1, conditions.PART // max(1, x.shape[1:].numel()))
    return torch.stack([part.isfinite().flatten(1).all(0) for part in x.split(size)]).all(0)


AnyDomain = Union[Pixels, Reals]
