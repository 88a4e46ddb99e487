"""Choices of a recipe over levels of noise: `python benchmarks/level_choice.py RUN` writes results/level_choice.json.

All is chosen on the validation split: the weight of guidance and the number of levels of the flow by the Fréchet
distance of 1,000 samples, and the level at which the model scores and classifies by the mean of its accuracy and of its
AUROC on flipped and inverted pictures.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro
from rows import Measured, trained
from torch import Tensor
from tyro.conf import Positional

from energybased.errors import require
from energybased.evaluation.detection import auroc, out_of_distribution_inputs
from energybased.evaluation.frechet import judge_distance
from energybased.evaluation.subject import Subject
from energybased.models.noise_conditional import NoiseConditionalModel
from energybased.runs.evaluate import subject_of
from energybased.runs.load import run_of

SAMPLES, SCORED = 1000, 1000
KINDS = ("flipped", "inverted")


def main(
    path: Annotated[Positional[Path], tyro.conf.arg(name="RUN")],
    /,
    guidance: tuple[float, ...] = (1.0, 1.5, 2.0, 2.5),
    flow_levels: tuple[int, ...] = (10, 18, 30),
    noise: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.3),
) -> None:
    run = run_of(path)
    subject, model = subject_of(run), subject_of(run).model
    require(isinstance(model, NoiseConditionalModel) and subject.judge is not None, "no levels of noise, or no judge")
    command = f"{trained(run)}, python benchmarks/level_choice.py RUN"
    found = Measured("level_choice", [run.recipe["settings"]["seed"]], command)
    fields = {"data": subject.data.name, "system": run.recipe["recipe"], "split": "validation"}
    x = subject.data.values(subject.data.validation)
    best = replace(model, guidance=guidance[0], flow_levels=flow_levels[0])
    distances: dict[str, float] = {}
    for kind, values in (("guidance", guidance), ("flow_levels", flow_levels)):
        tried = {value: replace(best, **{kind: value}) for value in values}
        for value, other in tried.items():
            began = time.monotonic()
            samples = other.sample(SAMPLES, generator=subject.rng())
            distances[key := f"{kind} {value:g}"] = judge_distance(subject.judge, samples, x)
            told = f"fd@{SAMPLES}(judge, {len(x)} validation pictures): guidance {other.guidance:g}"
            told += f", {other.flow_levels} levels"
            found.add(distances[key], told, time.monotonic() - began, **fields, metric="fd", varied=key)
        best = tried[min(values, key=lambda value: distances[f"{kind} {value:g}"])]
    for level in noise:
        began, at = time.monotonic(), model.at(level)
        for metric, value in levels(subject, at).items():
            told = f"{SCORED} validation pictures, energies at the level {level:g}"
            found.add(value, told, time.monotonic() - began, **fields, metric=metric, varied=f"noise {level:g}")
    found.write()


def levels(subject: Subject, model: NoiseConditionalModel) -> dict[str, float]:
    """Accuracy of the lowest energy, and mean AUROC on changed pictures, on random validation pictures."""
    held = subject.data.validation.some(SCORED)
    x, changed = subject.data.values(held), out_of_distribution_inputs(subject.data.values(held))
    inside = model.score(x)
    detected = statistics.fmean(auroc(inside, model.score(changed[kind])) for kind in KINDS)
    if not model.classes or not isinstance(held.y, Tensor):
        return {"auroc": detected}
    return {"auroc": detected, "accuracy": float((model.logits(x).argmax(1) == held.y).float().mean())}


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
