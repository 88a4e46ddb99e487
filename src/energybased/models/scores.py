"""Scores that an energy gives to examples. High means out of distribution.

- "energy": E(x).
- "gradient norm": |grad E(x)|, which is small at modes (Grathwohl et al. 2020).
- "noisy copies": the mean of E over four copies of x with the noise that the model has learned, since the model is the
  density of such copies.
- "typicality" and "typicality of noisy copies": the distance of these energies from their mean over training examples,
  since the typical set has no high density (Nalisnick et al. 2019).
- "ratio to its base": E(x) - base(x), a likelihood ratio against the Gaussian, or the mixture of them, that the energy
  tilts, as background (Ren et al. 2019).
- "density of states": -log q(T(x)), where T(x) are the energies E(x, y) of all classes y, or E(x), and that of the
  base, if there is one. The mixture of Gaussians q is fitted to training examples (Morningstar et al. 2021).

The energy of a model whose class is not given is that summed over the classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, get_args

import torch
from torch import Generator, Tensor

from energybased.algebra import Given
from energybased.data import DataSet
from energybased.energy import Energy
from energybased.errors import require
from energybased.models.damage import normal
from energybased.models.fitted import Fitted
from energybased.models.model import by_chunks, seeded
from energybased.models.states import StateDensity

ScoreBy = Literal[
    "energy",
    "gradient norm",
    "typicality",
    "noisy copies",
    "typicality of noisy copies",
    "ratio to its base",
    "density of states",
]
SCORES: tuple[ScoreBy, ...] = get_args(ScoreBy)
COPIES = 4  # of x with noise, over which an energy is averaged
TRAINING = 5000  # most training examples over which an energy is averaged
STATES = 20_000  # most training examples whose statistics have their density fitted


def possible_scores(model: Any) -> list[ScoreBy]:
    """The scores that an `EnergyModel` can give: some need noise, or an energy that has a base."""
    noisy, based = model.noise > 0, base_of(model.energy) is not None
    return [by for by in SCORES if (noisy or "noisy" not in by) and (based or "base" not in by)]


def scores(model: Any, x: Tensor, generator: Generator | None) -> Tensor:
    """The scores `(n,)` of x `(n, *event)`, in the model's units, that `model.score_by` names.

    Raises:
        UserError: if the model cannot give them.
    """
    by = model.score_by
    if "typicality" in by:
        return typicality(model, averaged(model, x, by, generator))
    if by == "gradient norm":
        return by_energy(model, len(x), lambda e, rows: e.value_and_grad(x[rows])[1].flatten(1).norm(dim=1))
    if by == "density of states":
        values = statistics(model, x)
        require(bool(values.isfinite().all()), "an energy is not finite: the model has diverged, or x is far from data")
        return fitted_part(model, "states", "the density of statistics").surprise(values)
    if by == "ratio to its base":
        base = base_of(model.energy)
        require(base is not None, f"the score {by!r} needs an energy that has a base")
        return by_energy(model, len(x), lambda e, rows: e(x[rows]) - base(x[rows].flatten(1)))
    return averaged(model, x, by, generator)


def typicality(model: Any, averages: Tensor) -> Tensor:
    """The distances of energies `(n,)`, or of their means over noisy copies, from their mean over training examples.

    Raises:
        UserError: if the model has no such mean.
    """
    mean = fitted_part(model, "mean_score", "the mean energy")
    distances: Tensor = (averages - mean).abs()
    return distances


def fitted_part(model: Any, name: str, words: str) -> Any:
    """What of this name was fitted for the score of the model.

    Raises:
        UserError: if it was not.
    """
    found = getattr(model.fitted, name, None)
    stored = "which a run stores when its training ends; a model that was given a condition has none"
    require(found is not None, f"the score {model.score_by!r} needs {words} of training examples, {stored}")
    return found


def statistics(model: Any, x: Tensor) -> Tensor:
    """Energies of x `(n, *event)` under each class, or E(x), and of the base if there is one, `(n, k)`."""
    base = base_of(model.energy)

    @torch.no_grad()
    def of_rows(rows: Tensor) -> Tensor:
        part = x[rows]
        found = -model.class_logits(part) if model.classes else model.marginal.select(rows)(part)[:, None]
        return found if base is None else torch.cat([found, base(part.flatten(1))[:, None]], 1)

    return by_chunks(of_rows, len(x), model.place, model.processes)


def averaged(model: Any, x: Tensor, by: str, generator: Generator | None) -> Tensor:
    """Energies `(n,)` of x `(n, *event)`, or of its noisy copies if the name of the score says so."""
    return noisy_energies(model, x, COPIES, generator) if "noisy" in by else energies(model, x)


def with_score(model: Any, by: ScoreBy, data: DataSet, generator: Generator) -> Any:
    """The `EnergyModel` with this score, and what it needs to know of training examples.

    Those are the mean energy of up to 5,000, or the density of statistics of up to 20,000.

    Args:
        model: an `EnergyModel`.
        by: one of `possible_scores`.
        data: its data.
        generator: draws the examples, and noise.
    """
    mean, states = None, None
    if ("typicality" in by or "states" in by) and len(data.train) and "scores" in model.offers:
        rows = torch.randperm(len(data.train), generator=generator)[: STATES if "states" in by else TRAINING]
        x = model.spec.domain.encode(data.values(data.train, rows)).to(model.place)
        if "states" in by:
            values = statistics(model, x)
            diverged = not bool(values.isfinite().all())  # which the scores then tell
            states = None if diverged else StateDensity.fit(values, generator)
        else:
            mean = float(averaged(model, x, by, generator).double().mean())
    return replace(model, score_by=by, fitted=replace(model.fitted or Fitted(), mean_score=mean, states=states))


def energies(model: Any, x: Tensor) -> Tensor:
    """Energies `(n,)` of x `(n, *event)`, in the model's units, summed over classes that are not given."""
    return by_energy(model, len(x), lambda energy, rows: energy(x[rows]))


def noisy_energies(model: Any, x: Tensor, copies: int, generator: Generator | None, alike: int = 1) -> Tensor:
    """The means of the energies of copies of x with the noise that the model has learned, `(n,)`.

    Args:
        model: an `EnergyModel`. If it has learned no noise, these are the energies of x.
        x: examples `(n, *event)`, in the model's units.
        copies: number of copies.
        generator: seeds the noise; it gets a new seed if not given.
        alike: number of successive rows that get the same noise, which cancels in their differences.
    """
    if model.noise == 0:
        return energies(model, x)
    rng = seeded(generator)
    noise = (normal(x[::alike], rng).repeat_interleave(alike, 0) for _ in range(copies))
    return torch.stack([energies(model, x + model.noise * part) for part in noise]).mean(0)


@torch.no_grad()
def by_energy(model: Any, n: int, function: Callable[[Energy, Tensor], Tensor]) -> Tensor:
    """The values `(n,)` of a function of the energy of some rows, and their numbers, for n rows part by part."""
    energy = model.marginal
    return by_chunks(lambda rows: function(energy.select(rows), rows), n, model.place, model.processes)


def base_of(energy: Energy) -> Any:
    """The base of an energy that tilts one, also if its condition is given; None for other energies."""
    return getattr(energy.terms[0] if isinstance(energy, Given) else energy, "base", None)
