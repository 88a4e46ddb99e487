"""The Fréchet distance between two sets of features."""

from __future__ import annotations

import torch
from torch import Tensor

from energybased.errors import require
from energybased.evaluation.enough import require_enough
from energybased.evaluation.moments import Moments
from energybased.models import Judge


def frechet_distance(a: Tensor | Moments, b: Tensor | Moments) -> float:
    """|mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2)) of Gaussians fitted to features (Dowson & Landau 1982).

    mu_a and A are the mean and the covariance of the rows of a, and mu_b and B those of b, computed in float64.

    Args:
        a: features of one set, `(n, features)`, or their moments.
        b: features of the other, `(m, features)`, or their moments.

    Raises:
        UserError: if the numbers of features differ, features are not finite, or there are fewer than two rows.

    >>> x = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    >>> abs(round(frechet_distance(x, x + 2.0), 6))  # equal covariances: 3 * 2^2
    12.0
    """
    for side in (a, b):
        require(isinstance(side, Moments) or side.ndim == 2, "features must be rows (n, features)")
    a, b = (side if isinstance(side, Moments) else Moments.of(side) for side in (a, b))
    require(len(a.mean) == len(b.mean), f"there are {len(a.mean)} features on one side and {len(b.mean)} on the other")
    require_enough("a Fréchet distance", 2, a.count, b.count)
    for side in (a, b):
        require(bool(side.scatter.isfinite().all()), "the pictures have features that are not finite")
    # tr (A B)^(1/2) is the sum of the square roots of the eigenvalues of A^(1/2) B A^(1/2), all of them >= 0.
    values, vectors = torch.linalg.eigh(a.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ b.covariance @ root).clamp(min=0).sqrt().sum()
    return float((a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * cross)


def judge_distance(judge: Judge, samples: Tensor, data: Tensor) -> float:
    """The Fréchet distance of samples `(n, *event)` to data `(m, *event)` in the judge's features.

    Raises:
        UserError: if there are fewer than two pictures on a side, or features are not finite.
    """
    return frechet_distance(judge.features(samples), judge.features(data))
