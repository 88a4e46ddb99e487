"""Precision, recall, density and coverage of samples, by the nearest neighbours of their features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from energybased.errors import require
from energybased.evaluation.enough import require_enough
from energybased.evaluation.finite import require_finite

PRECISION_K, DENSITY_K = 3, 5  # neighbours, as in the two papers
PART = 500  # rows of distances at a time


class Coverage(NamedTuple):
    """Precision, recall, density and coverage."""

    precision: float
    recall: float
    density: float
    coverage: float


def coverage(samples: Tensor, data: Tensor, k: int = PRECISION_K, k_density: int = DENSITY_K) -> Coverage:
    """How far samples lie within the data, and the data within the samples.

    The ball of a row reaches to its k-th nearest neighbour in its own set.
    Precision is the fraction of samples in the ball of at least one row of the data, recall the fraction of the data
    in the ball of at least one sample (Kynkäänniemi et al. 2019). Density is the mean number of balls of the data that
    a sample lies in, divided by k_density; coverage is the fraction of the data whose balls hold a sample
    (Naeem et al. 2020). Density can exceed 1. Distances are Euclidean, in float64.

    Args:
        samples: features of samples, `(n, d)`.
        data: features of data, `(m, d)`.
        k: neighbours, for precision and recall.
        k_density: neighbours, for density and coverage.

    Raises:
        UserError: if the numbers of features differ, features are not finite, or there are no more rows on a side than
            neighbours.
    """
    same = samples.ndim == data.ndim == 2 and samples.shape[1] == data.shape[1]
    require(same, f"features of {samples.shape} and {data.shape} differ")
    require(k >= 1 and k_density >= 1, f"numbers of neighbours must be positive, got {k} and {k_density}")
    require_enough("a measurement with neighbours", max(k, k_density) + 1, len(samples), len(data))
    require_finite("features", samples, data)
    samples, data = samples.double(), data.double()
    of_samples, of_data = radii(samples, (k,))[:, 0], radii(data, (k, k_density))
    precise, balls = 0, 0
    recalled, covered = torch.zeros(len(data), dtype=torch.bool), torch.zeros(len(data), dtype=torch.bool)
    for part, radius in zip(samples.split(PART), of_samples.split(PART), strict=True):
        distance = torch.cdist(part, data)
        precise += int((distance < of_data[:, 0]).any(1).sum())
        within = distance < of_data[:, 1]
        balls += int(within.sum())
        covered |= within.any(0)
        recalled |= (distance < radius[:, None]).any(0)
    n = len(samples)
    return Coverage(
        precise / n, float(recalled.double().mean()), balls / (k_density * n), float(covered.double().mean())
    )


def radii(x: Tensor, ks: tuple[int, ...]) -> Tensor:
    """The distance of each row of x `(n, d)` to its k-th nearest other row, for each k, `(n, len(ks))`."""
    found = []
    for start in range(0, len(x), PART):
        part = x[start : start + PART]
        distance = torch.cdist(part, x)
        rows = torch.arange(len(part))
        distance[rows, start + rows] = torch.inf  # a row is no neighbour of itself
        nearest = distance.topk(max(ks), largest=False).values
        found.append(nearest[:, [k - 1 for k in ks]])
    return torch.cat(found)
