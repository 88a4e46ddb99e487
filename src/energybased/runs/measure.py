"""Measuring a run: its samples against data and simple baselines, and what its energies find strange."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from energybased.data import DataSet
from energybased.errors import require
from energybased.evaluation.detection import auprc, auroc, out_of_distribution_inputs
from energybased.evaluation.judge import Judge
from energybased.evaluation.mixtures import PixelMixture, best_mixture, candidates, fit_mixture
from energybased.latent import LatentModel
from energybased.runs.model import Model, buffer_samples
from energybased.training.run import Run

SAMPLES, MORE_SAMPLES = 1000, 5000  # the latter where at least as many are held out
CONFIDENT = 0.9
Drawing = tuple[str, str, Callable[[], Tensor]]  # a row, its protocol, and how its pictures are drawn
LONG = 10  # times the recipe's length


@dataclass(frozen=True)
class Measured:
    """Rows of a table, and the samples that they were measured on."""

    rows: list[dict[str, Any]]
    pictures: dict[str, Tensor] = field(default_factory=dict)


def measure(
    model: Model | LatentModel, run: Run, data: DataSet, judge: Judge, seed: int, long: bool = False
) -> Measured:
    """Every row of a run's table: distances of its samples and of baselines, and what its energies find strange.

    The mixture is the candidate whose samples are nearest to the validation split; nothing else is chosen. A
    conditional model has seen the labels, and is compared with mixtures that have seen them too. Distances are to
    the test split.

    Args:
        long: also run chains ten times as long as the recipe's.
    """
    require(judge.event == data.event, f"a judge of {judge.event} cannot look at pictures of {data.event}")
    count = MORE_SAMPLES if len(data.test) >= MORE_SAMPLES else SAMPLES
    test = data.test.pixels()
    rows: list[dict[str, Any]] = []
    pictures: dict[str, Tensor] = {}

    def distance(what: str, note: str, draw: Callable[[], Tensor]) -> None:
        began = time.monotonic()
        x = pictures[what] = draw()
        protocol = f"fd@{len(x)}(judge-{judge.name}, {len(test)} held out, pixels clipped): {note}"
        rows.append(_row(what, judge.distance(x, test), protocol, time.monotonic() - began, seed))

    if isinstance(model, LatentModel):
        drawings = _of_latents(model, data, count, seed)
    else:
        drawings = _of_chains(model, run, count, seed, long)
    for what, note, draw in drawings:
        distance(what, note, draw)
    labelled = not isinstance(model, LatentModel) and model.classes > 0
    mixtures = candidates(data.train.pixels(), data.train.y if labelled else None, seed)
    mixture = best_mixture(mixtures, lambda x: judge.distance(x, data.validation.pixels()), SAMPLES)
    tried = ", ".join(m.name for m in mixtures)
    found = f"mixture of {mixture.name} Gaussians, the best of {tried} on the validation split"
    distance("fd_best_mixture", found, lambda: mixture.sample(count))
    gaussian = fit_mixture(data.train.pixels(), 1, seed)
    distance("fd_gaussian", f"{gaussian.name} Gaussian", lambda: gaussian.sample(count))
    distance("fd_floor", "training examples", lambda: data.train.pixels(slice(count)))
    for what, x in (("fresh", pictures["fd_fresh"]), ("best_mixture", pictures["fd_best_mixture"]), ("test", test)):
        rows += _opinions(what, judge.probabilities(x), seed)
    if isinstance(model, LatentModel):
        rows.append(_reproduced(model, test[:SAMPLES], seed))
    rows += _strangeness(model, mixture, test[:SAMPLES] if isinstance(model, LatentModel) else test, seed)
    return Measured(rows, pictures)


def _of_chains(model: Model, run: Run, count: int, seed: int, long: bool) -> Iterator[Drawing]:
    """What a model of pixels draws, and how."""
    length = model.recipe.sampler.length
    # Chains that change their class with every batch belong to none: their noise is taken off by the marginal.
    resting = model if model.recipe.buffer.by_class else replace(model, energy=model.marginal)
    yield "fd_buffer", "replay-buffer chains", lambda: resting.denoise(buffer_samples(run, model.recipe, count))
    yield "fd_fresh", f"fresh chains of {length} steps", lambda: model.sample(count, seed=seed)
    if long:
        steps = LONG * length
        yield "fd_long", f"fresh chains of {steps} steps", lambda: model.sample(SAMPLES, steps, seed)


def _of_latents(model: LatentModel, data: DataSet, count: int, seed: int) -> Iterator[Drawing]:
    """What a latent model draws: as it is, with fewer stages, and from the posteriors of data."""
    annealed = "annealed through the stages" if model.prior.stages else "independent draws"
    how = annealed if model.chains is None else f"chains of {model.chains.steps} steps"
    yield "fd_fresh", f"the prior, {how}", lambda: model.sample(count, seed)
    if model.chains is None and model.prior.stages:
        for k in range(len(model.prior.active)):
            yield f"fd_stage_{k}", f"the prior after {k} stages", partial(model.sample, count, seed, k)
    train = data.train.pixels(slice(count))
    yield "fd_posterior", "z of the posteriors of training examples", lambda: model.reconstruct(train, seed=seed)


def _reproduced(model: LatentModel, x: Tensor, seed: int) -> dict[str, Any]:
    began = time.monotonic()
    mse = float(4 * (model.reconstruct(x, seed=seed) - x).square().mean())
    protocol = f"of pixels on [-1, 1], {len(x)} held out, z by {model.steps} steps"
    return _row("mse", mse, protocol, time.monotonic() - began, seed)


def found_again(model: Model | LatentModel, ordinary: Tensor, strange: Tensor, what: str, seed: int) -> dict[str, Any]:
    """How well scores find what was left out of training among what was not."""
    began = time.monotonic()
    value = auprc(model.score(ordinary), model.score(strange))
    prevalence = len(strange) / (len(ordinary) + len(strange))
    protocol = f"auprc({what} left out, {len(strange)} among {len(ordinary)}, prevalence {prevalence:.3f})"
    return _row("auprc", value, protocol, time.monotonic() - began, seed)


def _opinions(what: str, probabilities: Tensor, seed: int) -> list[dict[str, Any]]:
    """How sure the judge is of pictures, and how evenly it finds the classes among them."""
    sure = float((probabilities.max(1).values > CONFIDENT).float().mean())
    shares = torch.bincount(probabilities.argmax(1), minlength=probabilities.shape[1]) / len(probabilities)
    entropy = float(torch.special.entr(shares).sum())
    most = math.log(probabilities.shape[1])
    return [
        _row(
            f"sure_{what}", sure, f"share of {len(probabilities)} that the judge is over {CONFIDENT} sure of", 0.0, seed
        ),
        _row(f"entropy_{what}", entropy, f"of the judge's classes, in nats; at the most {most:.2f}", 0.0, seed),
    ]


def _strangeness(model: Model | LatentModel, mixture: PixelMixture, test: Tensor, seed: int) -> list[dict[str, Any]]:
    """How well energies tell the test split from strange inputs, ours and the mixture's."""
    rows = []
    for who, energy in (("energy", model.score), ("mixture", mixture.energy)):
        ordinary = energy(test)
        for kind, x in out_of_distribution_inputs(test).items():
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
