"""Gaussians and mixtures of Gaussians over pixels: the baselines that an energy has to beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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


def best_mixture(
    x: Tensor, components: Sequence[int], distance: Callable[[Tensor], float], n: int, seed: int
) -> PixelMixture:
    """The mixture whose n samples have the least distance, to be measured on the validation split."""
    mixtures = [fit_mixture(x, k, seed) for k in components]
    return min(mixtures, key=lambda mixture: distance(mixture.sample(n)))
