"""Scores that detect out-of-distribution inputs: those of a model's energy, and baselines fitted to training examples.

A score maps x `(n, *event)`, in the user's units, to `(n,)`; high means out of distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from energybased.energies import PrincipalGaussian
from energybased.errors import require

Score = Callable[[Tensor], Tensor]
NEIGHBOUR = 5  # the distance to the k-th nearest training example is the score
COMPONENTS = 50  # most principal components
TRAINING = 5000  # training examples whose mean energy is typical
RIDGE = 1e-3  # noise of the principal components, so that examples that span few directions have a Gaussian
CHUNK = 500  # rows computed at a time
COPIES = 4  # of x with noise, over which a score is averaged


def energy_scores(model: Any, train: Tensor, generator: Generator) -> dict[str, Score]:
    """Scores that an energy gives beside the energy itself.

    - "gradient norm": |grad E(x)|, which is small at modes (Grathwohl et al. 2020).
    - "typicality": |E(x) - mean E(train)|, since the typical set has no high density (Nalisnick et al. 2019).
    - "noisy copies": the mean of E over four copies of x with the noise that the model has learned, if any; and
      "typicality of noisy copies", since the model is the density of such copies.
    - "ratio to its base": E(x) - base(x), a likelihood ratio against the Gaussian, or the mixture of them, that the
      energy tilts, as background (Ren et al. 2019); only for an energy that has one.

    Args:
        model: an `EnergyModel` that offers "energy".
        train: training examples, `(n, *event)`, of which up to 5,000 are used.
        generator: draws them.
    """
    energy, domain = model.marginal, model.spec.domain
    rows = torch.randperm(len(train), generator=generator)[:TRAINING]
    typical = float(model.score(train[rows]).double().mean())

    def gradient_norm(x: Tensor) -> Tensor:
        parts = domain.encode(x).to(model.place).split(CHUNK)
        with torch.no_grad():
            return torch.cat([energy.value_and_grad(part)[1].flatten(1).norm(dim=1) for part in parts])

    scores = {"gradient norm": gradient_norm, "typicality": lambda x: (model.score(x) - typical).abs()}
    if model.noise > 0:

        @torch.no_grad()
        def noisy(x: Tensor) -> Tensor:
            rng = torch.Generator().manual_seed(0)
            parts = [part.to(model.place) for part in domain.encode(x).repeat(COPIES, *[1] * (x.ndim - 1)).split(CHUNK)]
            copies = (p + model.noise * torch.randn(p.shape, generator=rng).to(p) for p in parts)
            return torch.cat([energy(p) for p in copies]).view(COPIES, -1).mean(0)

        usual = float(noisy(train[rows]).double().mean())
        scores |= {"noisy copies": noisy, "typicality of noisy copies": lambda x: (noisy(x) - usual).abs()}
    base = getattr(model.energy, "base", None)
    if base is not None:

        @torch.no_grad()
        def ratio(x: Tensor) -> Tensor:
            parts = domain.encode(x).to(model.place).split(CHUNK)
            return torch.cat([energy(part) - base(part.flatten(1)) for part in parts])

        scores["ratio to its base"] = ratio
    return scores


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
