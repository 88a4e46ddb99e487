"""Choices of a recipe over levels of noise: `python benchmarks/level_choice.py RUN` writes results/level_choice.json.

All is chosen on the validation split: the weight of guidance and the number of levels of the flow by the Fréchet
distance of 1,000 samples; the level at which the model scores and classifies by the mean of its accuracy and of the
AUROC of its energy; then the score by its AUROC. The AUROC is the mean over inverted pictures and, for CIFAR-10,
test pictures of CIFAR-100, by which the score is then not judged, or else flipped ones. `--only` names the choices to
make.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, get_args

import tyro
from rows import Measured, trained
from torch import Tensor
from tyro.conf import Positional

from energybased.data import load_data
from energybased.errors import require
from energybased.evaluation.detection import auroc, out_of_distribution_inputs
from energybased.evaluation.detectors import seeded_score
from energybased.evaluation.frechet import judge_distance
from energybased.evaluation.subject import Subject
from energybased.models.noise_conditional import NoiseConditionalModel
from energybased.models.scores import possible_scores, with_score
from energybased.runs.evaluate import subject_of
from energybased.runs.load import run_of

SAMPLES, SCORED = 1000, 1000
Choice = Literal["guidance", "flow_levels", "noise", "score"]


def main(
    path: Annotated[Positional[Path], tyro.conf.arg(name="RUN")],
    /,
    guidance: tuple[float, ...] = (1.0, 1.5, 2.0, 2.5),
    flow_levels: tuple[int, ...] = (10, 18, 30),
    noise: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.3),
    only: tuple[Choice, ...] = get_args(Choice),
) -> None:
    run = run_of(path)
    subject, model = subject_of(run), subject_of(run).model
    require(isinstance(model, NoiseConditionalModel) and subject.judge is not None, "no levels of noise, or no judge")
    command = f"{trained(run)}, python benchmarks/level_choice.py RUN"
    found = Measured("level_choice", [run.recipe["settings"]["seed"]], command)
    fields = {"data": subject.data.name, "system": run.recipe["recipe"], "split": "validation"}
    x = subject.data.values(subject.data.validation)
    best, distances = model, dict[str, float]()
    for kind, values in (("guidance", guidance), ("flow_levels", flow_levels)):
        if kind not in only:
            continue
        tried = {value: replace(best, **{kind: value}) for value in values}
        for value, other in tried.items():
            began = time.monotonic()
            samples = other.sample(SAMPLES, generator=subject.rng())
            distances[key := f"{kind} {value:g}"] = judge_distance(subject.judge, samples, x)
            told = f"fd@{SAMPLES}(judge, {len(x)} validation pictures): guidance {other.guidance:g}"
            told += f", {other.flow_levels} levels"
            found.add(distances[key], told, time.monotonic() - began, **fields, metric="fd", varied=key)
        best = tried[min(values, key=lambda value: distances[f"{kind} {value:g}"])]
    at = model
    if "noise" in only:
        means: dict[float, float] = {}
        for level in noise:
            began, tried = time.monotonic(), model.at(level)
            values = {"auroc": detected(subject, tried.score), **accuracy(subject, tried)}
            means[level] = statistics.fmean(values.values())
            for metric, value in values.items():
                told = f"{SCORED} validation pictures, energies at the level {level:g}"
                found.add(value, told, time.monotonic() - began, **fields, metric=metric, varied=f"noise {level:g}")
        at = model.at(max(means, key=means.__getitem__))
    for by in possible_scores(at) if "score" in only else []:
        began = time.monotonic()
        score = seeded_score(with_score(at, by, subject.data, subject.rng()), subject.seed)
        told = f"{SCORED} validation pictures, the score at the level {at.noise:g}"
        found.add(detected(subject, score), told, time.monotonic() - began, **fields, metric="auroc", varied=by)
    found.write()


def detected(subject: Subject, score: Callable[[Tensor], Tensor]) -> float:
    """The mean AUROC of a score on pictures that do not belong to the data, against random validation pictures."""
    x = subject.data.values(subject.data.validation.some(SCORED))
    changed = out_of_distribution_inputs(x)
    if subject.data.name == "cifar10":
        other = load_data("cifar100")
        outside = [changed["inverted"], other.values(other.test.some(SCORED))]
    else:
        outside = [changed["inverted"], changed["flipped"]]
    inside = score(x)
    return statistics.fmean(auroc(inside, score(pictures)) for pictures in outside)


def accuracy(subject: Subject, model: NoiseConditionalModel) -> dict[str, float]:
    """The accuracy of the lowest energy on random validation pictures, if the data have classes."""
    held = subject.data.validation.some(SCORED)
    if not model.classes or not isinstance(held.y, Tensor):
        return {}
    return {"accuracy": float((model.logits(subject.data.values(held)).argmax(1) == held.y).float().mean())}


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
