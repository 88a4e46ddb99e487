"""Several restored candidates of degraded examples, ordered by their energies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from energybased.errors import require
from energybased.models.degradation import Degradation
from energybased.models.scores import noisy_energies

COPIES = 8  # noisy copies of an example over which its energy is averaged


class Restored(NamedTuple):
    """Candidates for each degraded example, by rising energy.

    Args:
        x: the candidates, `(n, candidates, *event)`, in the user's units.
        energies: their energies, `(n, candidates)`, in nats up to a constant of the model.
    """

    x: Tensor
    energies: Tensor

    @property
    def best(self) -> Tensor:
        """The candidate of least energy of each example, `(n, *event)`."""
        return self.x[:, 0]

    @property
    def mean(self) -> Tensor:
        """The mean of the candidates of each example, `(n, *event)`: an estimate of that of the conditional density."""
        return self.x.mean(1)


def restore(
    model: Any,
    y: Tensor,
    degradation: Degradation,
    *,
    candidates: int = 8,
    steps: int | None = None,
    generator: Generator,
) -> Restored:
    """Restores degraded examples, several times each.

    Args:
        model: an energy or a latent model. If it is conditional on a class that is not given, chains sample the sum
            over the classes.
        y: degraded examples `(n, *measured)`, in the user's units.
        degradation: what was done to them.
        candidates: number of chains of each example.
        steps: transitions of each chain; see `EnergyModel.restore`.
        generator: source of random numbers.

    Raises:
        UserError: if the model cannot restore, or y cannot be examples that were degraded so.
    """
    require(candidates >= 1, f"there must be at least one candidate, got {candidates}")
    require(hasattr(model, "restore"), "this model has no energy of examples: it cannot restore them")
    require("chains" in model.offers or "latent vectors" in model.offers, why_not(model))
    n = len(y)
    x = repeated(model, candidates).restore(
        y.repeat_interleave(candidates, 0),
        degradation=expanded(degradation, y, candidates),
        steps=steps,
        generator=generator,
    )
    energies = energies_of(model, x.unflatten(0, (n, candidates)), generator)
    order = energies.argsort(1)
    rows = torch.arange(n, device=order.device)[:, None]
    return Restored(x.unflatten(0, (n, candidates))[rows.to(x.device), order.to(x.device)], energies[rows, order])


def energies_of(model: Any, x: Tensor, generator: Generator) -> Tensor:
    """The scores `(n, candidates)` of candidates x `(n, candidates, *event)` of the same examples.

    An energy model knows the density of examples with its noise. So the energy of an example without noise is the mean
    over eight noisy copies. All candidates of an example get the same noise, which leaves their differences.
    """
    (n, count), flat = x.shape[:2], x.flatten(0, 1)
    whole = repeated(model, count)
    if "energy" in model.offers:
        clean = model.spec.domain.encode(flat).to(model.place)
        return noisy_energies(whole, clean, COPIES, generator, alike=count).unflatten(0, (n, count))
    scores: Tensor = whole.score(flat, generator=generator)
    return scores.unflatten(0, (n, count))


def repeated(model: Any, count: int) -> Any:
    """The model for a batch in which every row is repeated; itself unless it was given conditions of several rows."""
    if getattr(model, "rows", None) is None:
        return model
    return replace(model, energy=model.energy.expand(count), rows=model.rows * count)


def expanded(degradation: Any, y: Tensor, count: int) -> Any:
    """The degradation for a batch in which every row of y `(n, *measured)` is repeated."""
    free = getattr(degradation, "free", None)
    if free is None or free.ndim < y.ndim or len(free) == 1:
        return degradation
    return replace(degradation, free=free.repeat_interleave(count, 0))


def why_not(model: Any) -> str:
    """Why a model with a method `restore` cannot use it."""
    if getattr(model, "sampler", True) is None:
        return "this model has no sampler: pass sampler=... to train"
    return "the model is conditional on more than a class: give the conditions first"
