"""The density of an energy's statistics on training examples (Morningstar et al. 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from energybased.energies import GaussianMixture
from energybased.errors import require

COMPONENTS, PER_ENTRY = 30, 10  # most Gaussians, and least examples for each of them per statistic

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class DensityOfStates:
    """q(T): a mixture of Gaussians over statistics T `(n, k)`, which are standardised first.

    Args:
        centre, scale: means and standard deviations of the statistics, k each.
        weights: of the Gaussians.
        means: k for each of them.
        covariances: k rows of k for each of them.

    Raises:
        UserError: if the shapes do not fit, a number is not finite, or a covariance is not symmetric and positive
            definite.
    """

    centre: Numbers
    scale: Numbers
    weights: Numbers
    means: tuple[Numbers, ...]
    covariances: tuple[tuple[Numbers, ...], ...]

    def __post_init__(self) -> None:
        width = len(self.centre)
        rows = [self.centre, self.scale, *self.means, *(row for matrix in self.covariances for row in matrix)]
        fits = all(len(row) == width for row in rows) and all(len(matrix) == width for matrix in self.covariances)
        fits = fits and len(self.weights) == len(self.means) == len(self.covariances)
        require(fits and width > 0 and self.weights != (), "the density of states has parts of different sizes")
        finite = all(math.isfinite(number) for row in (self.weights, *rows) for number in row)
        require(finite, "the density of states has numbers that are not finite")
        require(all(s > 0 for s in self.scale), "the density of states has a scale that is not positive")
        self.mixture  # noqa: B018 - it refuses other numbers

    @property
    def mixture(self) -> GaussianMixture:
        """The density of standardised statistics, in float64."""
        parts = (self.means, self.covariances, self.weights)
        return GaussianMixture(*(torch.tensor(part, dtype=torch.float64, device="cpu") for part in parts))

    @staticmethod
    def fit(values: Tensor, generator: Generator) -> DensityOfStates:
        """Fits up to 30 Gaussians to statistics `(n, k)`, in float64 on the processor.

        A statistic that does not vary is not scaled.

        Raises:
            UserError: if there are fewer than two rows.
        """
        require(len(values) >= 2, f"the density of states needs two training examples, but there are {len(values)}")
        x = values.detach().double().cpu()
        centre, spread = x.mean(0), x.std(0)
        rounding = torch.finfo(values.dtype).eps * centre.abs()
        scale = torch.where(spread > rounding, spread, 1.0)
        components = max(1, min(COMPONENTS, len(x) // (PER_ENTRY * x.shape[1])))
        found = GaussianMixture.fit((x - centre) / scale, components, generator)
        covariances = found.scales @ found.scales.mT
        parts = (centre, scale, found.log_weights.exp(), found.means, (covariances + covariances.mT) / 2)
        plain: list[Any] = [nested(part.tolist()) for part in parts]
        return DensityOfStates(*plain)

    def energy(self, values: Tensor) -> Tensor:
        """-log q(T) `(n,)` of statistics `(n, k)`, in nats up to a constant.

        Raises:
            UserError: if q is a density of another number of statistics than k.
        """
        k, own = values.shape[1], len(self.centre)
        require(k == own, f"the model has {k} statistics, but its density of states is one of {own}: it is another's")
        x = values.double().cpu()
        centre, scale = (torch.tensor(part, dtype=torch.float64, device="cpu") for part in (self.centre, self.scale))
        found: Tensor = self.mixture((x - centre) / scale)
        return found.to(values)


def nested(value: Any) -> Any:
    """Lists within lists as tuples within tuples."""
    return tuple(nested(item) for item in value) if isinstance(value, list) else value
