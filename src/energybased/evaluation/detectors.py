"""Scores that detect out-of-distribution inputs: those of a model's energy, and baselines fitted to training examples.

A score maps x `(n, *event)`, in the user's units, to `(n,)`; high means out of distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor

from energybased.data import DataSet
from energybased.energies import PrincipalGaussian
from energybased.errors import require
from energybased.models.model import CHUNK
from energybased.models.scores import SCORES, distances, possible_scores, with_score

Score = Callable[[Tensor], Tensor]
NEIGHBOUR = 5  # the distance to the k-th nearest training example is the score
COMPONENTS = 50  # most principal components
RIDGE = 1e-3  # noise of the principal components, so that examples that span few directions have a Gaussian


def energy_scores(model: Any, data: DataSet, generator: Generator, seed: int = 0) -> dict[str, Score]:
    """All scores that an energy can give, by name; see `models.scores`.

    Energies, and their means over noisy copies, are computed once for each x; a typicality takes those of the score
    without it.

    Args:
        model: an `EnergyModel` that offers "energy"; it gives its own score as it is.
        data: its data.
        generator: draws what a score of another name than the model's own needs.
        seed: of the noise of copies, which is the same for all scores.
    """
    found: dict[str, Score] = {}
    for by in possible_scores(model):
        chosen = model if by == model.score_by else with_score(model, by, data, generator)
        averages = found.get(SCORES[by].distance_of or "")
        found[by] = cache(seeded_score(chosen, seed)) if averages is None else shared(chosen, averages)
    return found


def shared(model: Any, averages: Score) -> Score:
    """The typicality of a model, from a score that gives its energies, or their means over noisy copies."""
    return lambda x: distances(model, averages(x))


def seeded_score(model: Any, seed: int) -> Score:
    """The score of a model, with the same random numbers in each call."""

    def score(x: Tensor) -> Tensor:
        found: Tensor = model.score(x, generator=torch.Generator().manual_seed(seed))
        return found

    return score


def principal_score(train: Tensor) -> tuple[Score, str]:
    """The squared distance to the principal subspace of training examples `(n, *event)`, and its name.

    The subspace has 50 dimensions, and at most half of those that the examples span.
    """
    flat = train.flatten(1)
    rank = min(COMPONENTS, flat.shape[1] // 2, (len(flat) - 1) // 2)
    require(rank >= 1, "principal components need three examples of two entries")
    fitted = PrincipalGaussian.fit(flat, rank, RIDGE)

    def score(x: Tensor) -> Tensor:
        d = x.flatten(1) - fitted.mean
        return d.square().sum(1) - (d @ fitted.directions).square().sum(1)

    return score, f"{rank} principal components"


def neighbour_score(train: Tensor) -> tuple[Score, str]:
    """The distance to the fifth nearest of training examples `(n, *event)`, and its name.

    Raises:
        UserError: if there are fewer than five examples.
    """
    require(len(train) >= NEIGHBOUR, f"the nearest neighbours need {NEIGHBOUR} training examples, got {len(train)}")
    flat = train.flatten(1)

    def score(x: Tensor) -> Tensor:
        parts = x.flatten(1).split(CHUNK)
        return torch.cat([torch.cdist(part, flat).kthvalue(NEIGHBOUR, 1).values for part in parts])

    return score, f"distance to neighbour {NEIGHBOUR} of {len(train)}"
