"""Measuring a run: its samples against data and simple baselines, and what its energies find strange."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from energybased.data import DataSet
from energybased.evaluation.detection import auroc, strange_inputs
from energybased.evaluation.judge import Judge
from energybased.evaluation.mixtures import PixelMixture, best_mixture, fit_class_mixture, fit_mixture
from energybased.runs.model import Model, buffer_samples
from energybased.training.run import Run

SAMPLES = 1000
COMPONENTS = (10, 30, 60)
A_CLASS = (1, 2, 4)
LONG = 10  # times the recipe's length


@dataclass(frozen=True)
class Measured:
    """Rows of a table, and the samples that they were measured on."""

    rows: list[dict[str, Any]]
    pictures: dict[str, Tensor] = field(default_factory=dict)


def measure(model: Model, run: Run, data: DataSet, judge: Judge, seed: int, long: bool = False) -> Measured:
    """Every row of the digits' table, for one run.

    The mixture is the one of `COMPONENTS`, and for a conditional model of `A_CLASS` components a class, whose samples
    are nearest to the validation split; nothing else is chosen. Distances are to the test split.

    Args:
        long: also run chains ten times as long as the recipe's.
    """
    protocol = f"fd@{SAMPLES}(judge-{data.name}, {len(data.test)} held out, pixels clipped)"
    rows: list[dict[str, Any]] = []
    pictures: dict[str, Tensor] = {}

    def distance(what: str, note: str, draw: Callable[[], Tensor]) -> None:
        began = time.monotonic()
        pictures[what] = draw()
        value = judge.distance(pictures[what], data.test.pixels())
        rows.append(_row(what, value, f"{protocol}: {note}", time.monotonic() - began, seed))

    length, n = model.recipe.sampler.length, min(SAMPLES, model.recipe.buffer.capacity)
    distance("fd_buffer", f"{n} replay-buffer chains", lambda: model.finish(buffer_samples(run, model.recipe, n)))
    distance("fd_fresh", f"fresh chains of {length} steps", lambda: model.sample(SAMPLES, seed=seed))
    if long:
        steps = LONG * length
        distance("fd_long", f"fresh chains of {steps} steps", lambda: model.sample(SAMPLES, steps, seed))
    x, y = data.train.pixels(), data.train.y
    mixtures = [fit_mixture(x, k, seed) for k in COMPONENTS]
    if model.classes and y is not None:  # what has seen the labels is compared with what has seen them too
        mixtures += [fit_class_mixture(x, y, k, seed) for k in A_CLASS]
    mixture = best_mixture(mixtures, lambda x: judge.distance(x, data.validation.pixels()), SAMPLES)
    tried = ", ".join(str(m.components) for m in mixtures)
    found = f"mixture of {mixture.components} Gaussians, the best of {tried} on the validation split"
    distance("fd_best_mixture", found, lambda: mixture.sample(SAMPLES))
    distance("fd_gaussian", "one Gaussian", lambda: fit_mixture(data.train.pixels(), 1, seed).sample(SAMPLES))
    distance("fd_floor", "training examples", lambda: data.train.pixels(slice(SAMPLES)))
    rows += _strangeness(model, mixture, data, seed)
    return Measured(rows, pictures)


def _strangeness(model: Model, mixture: PixelMixture, data: DataSet, seed: int) -> list[dict[str, Any]]:
    """How well energies tell the test split from strange inputs, ours and the mixture's."""
    rows = []
    for who, energy in (("energy", model.score), ("mixture", mixture.energy)):
        ordinary = energy(data.test.pixels())
        for kind, x in strange_inputs(data.test.pixels()).items():
            began = time.monotonic()
            value = auroc(ordinary, energy(x))
            protocol = f"auroc({len(x)} test against {len(x)} {kind}, prevalence 0.50)"
            rows.append(_row(f"auroc_{kind}_{who}", value, protocol, time.monotonic() - began, seed))
    return rows


def _row(what: str, value: float, protocol: str, seconds: float, seed: int) -> dict[str, Any]:
    return {
        "what": what,
        "value": round(value, 4),
        "sd": None,
        "per_seed": [round(value, 4)],
        "protocol": protocol,
        "seconds": round(seconds, 2),
        "seeds": [seed],
    }
