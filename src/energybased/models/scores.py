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
- "multiscale scores": -log q(T(x)), where T(x) are log |sigma grad E(x | sigma)| at ten levels of noise (multiscale
  score matching analysis, Mahmood et al. 2021), for a model over levels of noise.

The energy of a model whose class is not given is that summed over the classes, or the one that the network has learned
without a class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Generator, Tensor

from energybased.algebra import Given
from energybased.data import DataSet
from energybased.energy import Energy
from energybased.errors import require
from energybased.models.degradation import normal
from energybased.models.density_of_states import DensityOfStates
from energybased.models.fitted import Fitted
from energybased.models.model import by_chunks, seeded

ScoreBy = Literal[
    "energy",
    "gradient norm",
    "typicality",
    "noisy copies",
    "typicality of noisy copies",
    "ratio to its base",
    "density of states",
    "multiscale scores",
]
COPIES = 4  # of x with noise, over which an energy is averaged
LEVELS, WIDEST = 10, 4.0  # of noise, of multiscale scores; the highest, in standard deviations of the data


class Score(NamedTuple):
    """What a score is, and what it needs. Models are `EnergyModel`s, and x `(n, *event)` is in the model's units.

    Args:
        values: maps a model, x and a generator of noise to scores `(n,)`.
        noisy: whether it needs a model that has learned noise.
        based: whether it needs an energy that has a base.
        levels: whether it needs a model over levels of noise.
        distance_of: the score of which it is the distance from the mean over training examples.
        fit: maps a model, training examples and a generator to what of `Fitted` the score needs.
        examples: most training examples that it is fitted to.
        passes: about how many passes through the energy it takes.
    """

    values: Callable[[Any, Tensor, Generator | None], Tensor]
    noisy: bool = False
    based: bool = False
    levels: bool = False
    distance_of: ScoreBy | None = None
    fit: Callable[[Any, Tensor, Generator], Mapping[str, Any]] | None = None
    examples: int = 5000
    passes: int = 1


def possible_scores(model: Any) -> list[ScoreBy]:
    """The scores that an `EnergyModel` can give: some need noise, levels of it, or an energy that has a base."""
    has = {"noisy": model.noise > 0, "based": base_of(model.energy) is not None, "levels": levels_of(model) is not None}
    return [by for by, score in SCORES.items() if all(has[need] or not getattr(score, need) for need in has)]


def scores(model: Any, x: Tensor, generator: Generator | None) -> Tensor:
    """The scores `(n,)` of x `(n, *event)`, in the model's units, that `model.score_by` names.

    Raises:
        UserError: if the model cannot give them.
    """
    return SCORES[model.score_by].values(model, x, generator)


def with_score(model: Any, by: ScoreBy, data: DataSet, generator: Generator) -> Any:
    """The `EnergyModel` with this score, and what it needs to know of training examples.

    Args:
        model: an `EnergyModel`.
        by: one of `possible_scores`.
        data: its data.
        generator: draws the examples, and noise.
    """
    score, found = SCORES[by], {"mean_energy": None, "density_of_states": None}
    if score.fit is not None and len(data.train) and "scores" in model.offers:
        rows = torch.randperm(len(data.train), generator=generator)[: score.examples]
        x = model.spec.domain.encode(data.values(data.train, rows)).to(model.place)
        found |= score.fit(replace(model, score_by=by), x, generator)
    return replace(model, score_by=by, fitted=replace(model.fitted or Fitted(), **found))


def energies(model: Any, x: Tensor, generator: Generator | None = None) -> Tensor:
    """Energies `(n,)` of x `(n, *event)`, in the model's units, summed over classes that are not given."""
    return by_energy(model, len(x), lambda energy, rows: energy(x[rows]))


def gradient_norms(model: Any, x: Tensor, generator: Generator | None) -> Tensor:
    return by_energy(model, len(x), lambda e, rows: e.value_and_grad(x[rows])[1].flatten(1).norm(dim=1))


def noisy_copies(model: Any, x: Tensor, generator: Generator | None) -> Tensor:
    return noisy_energies(model, x, COPIES, generator)


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


def ratios(model: Any, x: Tensor, generator: Generator | None) -> Tensor:
    base = base_of(model.energy)
    require(base is not None, f"the score {model.score_by!r} needs an energy that has a base")
    return by_energy(model, len(x), lambda e, rows: e(x[rows]) - base(x[rows].flatten(1)))


def typicality(model: Any, x: Tensor, generator: Generator | None) -> Tensor:
    return distances(model, SCORES[distance_of(model)].values(model, x, generator))


def distances(model: Any, values: Tensor) -> Tensor:
    """The distances of energies `(n,)`, or of their means over noisy copies, from their mean over training examples.

    Raises:
        UserError: if the model has no such mean.
    """
    found: Tensor = (values - fitted_part(model, "mean_energy")).abs()
    return found


def mean_energy(model: Any, x: Tensor, generator: Generator) -> Mapping[str, float]:
    values = SCORES[distance_of(model)].values(model, x, generator)
    return {"mean_energy": float(values.double().mean())}


def distance_of(model: Any) -> ScoreBy:
    """The score from whose mean the typicality of a model is the distance."""
    found = SCORES[model.score_by].distance_of
    assert found is not None
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


def score_norms(model: Any, x: Tensor) -> Tensor:
    """log |sigma grad E(x | sigma)| of x `(n, *event)` at ten levels of noise, `(n, 10)`."""
    levels = levels_of(model)
    require(levels is not None, f"the score {model.score_by!r} needs a model over levels of noise")
    low, high = levels.levels
    highest = min(high, WIDEST * float(levels.scale))
    at = [low * (highest / low) ** (i / (LEVELS - 1)) for i in range(LEVELS)]
    return torch.stack([(sigma * gradient_norms(model.at(sigma), x, None)).log() for sigma in at], 1)


def rarity(statistic: Callable[[Any, Tensor], Tensor], model: Any, x: Tensor, generator: Generator | None) -> Tensor:
    values = statistic(model, x)
    require(bool(values.isfinite().all()), "an energy is not finite: the model has diverged, or x is far from data")
    found: Tensor = fitted_part(model, "density_of_states").energy(values)
    return found


def fitted_density(
    statistic: Callable[[Any, Tensor], Tensor], model: Any, x: Tensor, generator: Generator
) -> Mapping[str, DensityOfStates | None]:
    values = statistic(model, x)
    diverged = not bool(values.isfinite().all())  # which the scores then tell
    return {"density_of_states": None if diverged else DensityOfStates.fit(values, generator)}


def fitted_part(model: Any, name: str) -> Any:
    """What of this name was fitted for the score of the model.

    Raises:
        UserError: if it was not.
    """
    found, words = getattr(model.fitted, name, None), name.replace("_", " ")
    stored = "which a run stores when its training ends"
    require(found is not None, f"the score {model.score_by!r} needs the {words} of training examples, {stored}")
    return found


@torch.no_grad()
def by_energy(model: Any, n: int, function: Callable[[Energy, Tensor], Tensor]) -> Tensor:
    """The values `(n,)` of a function of the energy of some rows, and their numbers, for n rows part by part."""
    energy = model.marginal
    return by_chunks(lambda rows: function(energy.select(rows), rows), n, model.place, model.processes)


def levels_of(model: Any) -> Any:
    """The energy over levels of noise of a model that has one; None for other models."""
    return getattr(model, "levels", None)


def base_of(energy: Energy) -> Any:
    """The base of an energy that tilts one, also if its condition is given; None for other energies."""
    return getattr(energy.terms[0] if isinstance(energy, Given) else energy, "base", None)


SCORES: Mapping[ScoreBy, Score] = {
    "energy": Score(energies),
    "gradient norm": Score(gradient_norms),
    "typicality": Score(typicality, distance_of="energy", fit=mean_energy),
    "noisy copies": Score(noisy_copies, noisy=True, passes=COPIES),
    "typicality of noisy copies": Score(
        typicality, noisy=True, distance_of="noisy copies", fit=mean_energy, passes=COPIES
    ),
    "ratio to its base": Score(ratios, based=True),
    "density of states": Score(partial(rarity, statistics), fit=partial(fitted_density, statistics), examples=20_000),
    "multiscale scores": Score(
        partial(rarity, score_norms), levels=True, fit=partial(fitted_density, score_norms), passes=3 * LEVELS
    ),
}
