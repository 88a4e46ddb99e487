"""The Fréchet distance between two sets of features."""

from __future__ import annotations

import torch
from torch import Tensor

from energybased.errors import require
from energybased.models import Judge


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """|mu_a - mu_b|^2 + tr(A + B - 2 (A B)^(1/2)) of Gaussians fitted to features (Dowson & Landau 1982).

    mu_a and A are the mean and the covariance of the rows of a, and mu_b and B those of b, computed in float64.

    Args:
        a: features of one set, `(n, features)`.
        b: features of the other, `(m, features)`.

    Raises:
        UserError: if the numbers of features differ, or there are fewer than two rows.

    >>> x = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    >>> abs(round(frechet_distance(x, x + 2.0), 6))  # equal covariances: 3 * 2^2
    12.0
    """
    require(a.ndim == 2 and b.ndim == 2 and a.shape[1] == b.shape[1], f"features of {a.shape} and {b.shape} differ")
    require(min(len(a), len(b)) >= 2, "a Fréchet distance needs at least two rows on each side")
    a, b = a.double(), b.double()
    cov_a, cov_b = torch.atleast_2d(torch.cov(a.T)), torch.atleast_2d(torch.cov(b.T))
    # tr (A B)^(1/2) is the sum of the square roots of the eigenvalues of A^(1/2) B A^(1/2), all of them >= 0.
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    return float((a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross)


def judge_distance(judge: Judge, samples: Tensor, data: Tensor) -> float:
    """The Fréchet distance of samples `(n, *event)` to data `(m, *event)` in the judge's features."""
    return frechet_distance(judge.features(samples), judge.features(data))
