"""A run over levels of noise: `python benchmarks/photographs.py RUN` writes results/RECIPE.json and RECIPE-fd.png.

`--name NAME` writes results/NAME.json and NAME-fd.png instead, for a run that began at another one.

Guidance, the levels of the flow and the level of scores are those that the recipe has now: they are chosen after the
training (`level_choice.py`), and change no weight. Rows are written after each metric.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rows import RESULTS, Measured, spent, trained
from tyro.conf import Positional

from energybased.data.pictures import beside, save_png, sheet
from energybased.models.scores import with_score
from energybased.recipes import find_recipe
from energybased.runs.evaluate import subject_of, timed
from energybased.runs.load import run_of

METRICS = ("fd", "accuracy", "confidence", "fd_lite0", "ood_sets")
FOLDER = ("kd_lite0", "accuracy")  # of a folder: there is no judge, and too few pictures for a Fréchet distance
DRAWN = ("fd", "confident", "class_entropy", "class_asked", "fd_lite0", "kd_lite0")  # values of samples
PIXELS = 320  # of a row of pictures
SLOW, SCORED = ("ood_sets",), 1000  # metrics that take this many random test pictures


def main(path: Annotated[Positional[Path], tyro.conf.arg(name="RUN")], /, name: str = "") -> None:
    run = run_of(path)
    recipe, subject = run.recipe["recipe"], subject_of(run)
    name, now, words = name or recipe, find_recipe(recipe), f" --name {name}" if name else ""
    chosen = {"guidance": now.guidance, "flow_levels": now.flow_levels}  # type: ignore[attr-defined]
    model = replace(subject.model.at(now.noise), **chosen)  # type: ignore[attr-defined]
    model = with_score(model, now.score_by, subject.data, subject.rng())  # type: ignore[attr-defined]
    subject = replace(subject, model=model)
    found = Measured(
        name, [run.recipe["settings"]["seed"]], f"{trained(run)}, python benchmarks/photographs.py RUN{words}"
    )
    seconds = spent(run)
    fields = {"data": subject.data.name, "system": recipe, "metric": "minutes", "split": "test"}
    found.add(seconds / 60, "CPU time of the training, with that of the run it began at", seconds, **fields)
    metrics = FOLDER if subject.judge is None else METRICS
    for metric in metrics:
        for row in timed(metric, subject.part(SCORED) if metric in SLOW else subject):
            fields = {"data": row.data, "system": row.system, "metric": row.metric, "split": row.split}
            drawn = row.metric in DRAWN and row.system == recipe
            protocol = f"{row.protocol}; guidance {now.guidance:g}" if drawn else row.protocol  # type: ignore[attr-defined]
            found.add(row.value, protocol, row.seconds, **fields)
        found.write()
        if metric == metrics[0] and model.classes:
            test, classes = subject.data.test.some(2000), model.classes
            columns = min(10, PIXELS // model.spec.event[-1])
            rows = [(test.y == label).nonzero()[:columns, 0] for label in range(classes)]
            rows = [own[: min(map(len, rows))] for own in rows]
            held = subject.data.values(test, torch.stack(rows, 1).flatten())
            save_png(
                beside(sheet(subject.samples[: columns * classes], classes), sheet(held, classes)),
                RESULTS / f"{name}-fd.png",
            )


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
