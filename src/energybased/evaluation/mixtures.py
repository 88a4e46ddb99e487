"""Gaussians and mixtures of Gaussians over pixels: the baselines that an energy has to beat."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from energybased.errors import require

DIRECT = 256  # entries of an event up to which mixtures are fitted to the pixels themselves
PRINCIPAL = 50  # principal components that they are fitted to beyond
EXAMPLES = 20_000  # at the most, beyond
COMPONENTS, A_CLASS = (10, 30, 60), (1, 2, 4)
COMPONENTS_BEYOND, A_CLASS_BEYOND = (10, 30), (3, 10, 20)


@dataclass(frozen=True)
class PixelMixture:
    """A fitted mixture with full covariances, of pixels or of their principal components.

    Args:
        space: the fitted projection to principal components; None for pixels.
    """

    components: int
    event: tuple[int, ...]
    model: Any
    space: Any = None

    @property
    def name(self) -> str:
        return f"{self.components}" + ("" if self.space is None else f" over {self.space.n_components_} PCA")

    def sample(self, n: int) -> Tensor:
        """`(n, *event)`, clipped to [0, 1] as all pictures are."""
        x, _ = self.model.sample(n)
        x = x if self.space is None else self.space.inverse_transform(x)
        return torch.tensor(x, dtype=torch.float32).reshape(n, *self.event).clamp(0, 1)

    def energy(self, x: Tensor) -> Tensor:
        """-log density, `(n,)`; what the principal components leave over counts as Gaussian noise."""
        flat = x.flatten(1).double().numpy()
        if self.space is None:
            return -torch.tensor(self.model.score_samples(flat))
        z = self.space.transform(flat)
        rest, variance = flat - self.space.inverse_transform(z), self.space.noise_variance_
        over = 0.5 * (rest**2).sum(1) / variance + 0.5 * (flat.shape[1] - z.shape[1]) * math.log(2 * math.pi * variance)
        return torch.tensor(over - self.model.score_samples(z))


def fit_mixture(x: Tensor, components: int, seed: int) -> PixelMixture:
    """Fits by expectation maximisation in float64, with 1e-3 added to every variance."""
    event = tuple(x.shape[1:])
    z, space = _coordinates(x)
    return PixelMixture(components, event, _fit(z, components, seed), space)


def fit_class_mixture(x: Tensor, y: Tensor, components: int, seed: int) -> PixelMixture:
    """A mixture for each class, and the mixture of these by how often the classes come."""
    from sklearn.mixture import GaussianMixture

    z, space = _coordinates(x)
    y = y[: len(z)]
    classes, counts = y.unique(return_counts=True)
    fitted = [_fit(z[(y == c).numpy()], components, seed) for c in classes]
    joined = GaussianMixture(components * len(classes), random_state=seed)
    shares = counts.double().numpy() / len(y)
    joined.weights_ = np.concatenate([share * m.weights_ for share, m in zip(shares, fitted, strict=True)])
    for name in ("means_", "covariances_", "precisions_cholesky_"):
        setattr(joined, name, np.concatenate([getattr(m, name) for m in fitted]))
    return PixelMixture(components * len(classes), tuple(x.shape[1:]), joined, space)


def candidates(x: Tensor, y: Tensor | None, seed: int) -> list[PixelMixture]:
    """Mixtures to choose the best from; with labels, mixtures of each class as well."""
    beyond = x[0].numel() > DIRECT
    mixtures = [fit_mixture(x, k, seed) for k in (COMPONENTS_BEYOND if beyond else COMPONENTS) if k <= len(x)]
    if y is not None:
        fewest = int(y[:EXAMPLES].unique(return_counts=True)[1].min())
        a_class = [k for k in (A_CLASS_BEYOND if beyond else A_CLASS) if k <= fewest and fewest > 1]
        mixtures += [fit_class_mixture(x, y, k, seed) for k in a_class]
    require(len(mixtures) > 0, f"{len(x)} examples are too few for a mixture of {COMPONENTS[0]} Gaussians")
    return mixtures


def best_mixture(mixtures: Sequence[PixelMixture], distance: Callable[[Tensor], float], n: int) -> PixelMixture:
    """The mixture whose n samples have the least distance, to be measured on the validation split."""
    return min(mixtures, key=lambda mixture: distance(mixture.sample(n)))


def _coordinates(x: Tensor) -> tuple[Any, Any]:
    """What mixtures are fitted to, `(n, dim)` in float64, and the projection that it came by."""
    if x[0].numel() <= DIRECT:
        return x.flatten(1).double().numpy(), None
    from sklearn.decomposition import PCA

    flat = x[:EXAMPLES].flatten(1).double().numpy()
    space = PCA(min(PRINCIPAL, len(flat) - 1), svd_solver="covariance_eigh").fit(flat)
    return space.transform(flat), space


def _fit(z: Any, components: int, seed: int) -> Any:
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(components, reg_covar=1e-3, random_state=seed).fit(z)
