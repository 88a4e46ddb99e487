"""Gaussians and mixtures of Gaussians over pixels: the baselines that an energy has to beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class PixelMixture:
    """A fitted mixture with full covariances."""

    components: int
    event: tuple[int, ...]
    model: Any

    def sample(self, n: int) -> Tensor:
        """`(n, *event)`, clipped to [0, 1] as all pictures are."""
        x, _ = self.model.sample(n)
        return torch.tensor(x, dtype=torch.float32).reshape(n, *self.event).clamp(0, 1)

    def energy(self, x: Tensor) -> Tensor:
        """-log density, `(n,)`."""
        return -torch.tensor(self.model.score_samples(x.flatten(1).double().numpy()))


def fit_mixture(x: Tensor, components: int, seed: int) -> PixelMixture:
    """Fits by expectation maximisation in float64, with 1e-3 added to every variance."""
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(components, reg_covar=1e-3, random_state=seed)
    return PixelMixture(components, tuple(x.shape[1:]), model.fit(x.flatten(1).double().numpy()))


def fit_class_mixture(x: Tensor, y: Tensor, components: int, seed: int) -> PixelMixture:
    """A mixture for each class, and the mixture of these by how often the classes come."""
    from sklearn.mixture import GaussianMixture

    classes, counts = y.unique(return_counts=True)
    fitted = [fit_mixture(x[y == c], components, seed).model for c in classes]
    joined = GaussianMixture(components * len(classes), random_state=seed)
    shares = counts.double().numpy() / len(y)
    joined.weights_ = np.concatenate([share * m.weights_ for share, m in zip(shares, fitted, strict=True)])
    for name in ("means_", "covariances_", "precisions_cholesky_"):
        setattr(joined, name, np.concatenate([getattr(m, name) for m in fitted]))
    return PixelMixture(components * len(classes), tuple(x.shape[1:]), joined)


def best_mixture(candidates: Sequence[PixelMixture], distance: Callable[[Tensor], float], n: int) -> PixelMixture:
    """The mixture whose n samples have the least distance, to be measured on the validation split."""
    return min(candidates, key=lambda mixture: distance(mixture.sample(n)))
