"""Tasks of a model over levels of noise: `python benchmarks/level_tasks.py MODEL` writes results/MODEL-tasks.json.

MODEL is a run, or the name of a model that comes with the package. Metrics that take many gradients see `--examples`
random test pictures. `--level` is another level of noise than that of the model, and `--guidance` another weight of
guidance; 0 draws samples without a class. Rows are written after each metric, and pictures that a metric restored into
MODEL-METRIC.png.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro
from rows import RESULTS, Measured
from subjects import subject_at
from tyro.conf import Positional

from energybased.data.pictures import grid, save_png
from energybased.runs.evaluate import timed

DRAWN, COLUMNS = 20, 10  # pictures of a sheet, degraded and restored
TASKS = ("denoising", "inpainting", "class_mapping")


def main(
    path: Annotated[Positional[Path], tyro.conf.arg(name="MODEL")],
    /,
    metrics: tuple[str, ...] = TASKS,
    examples: int = 100,
    level: float | None = None,
    guidance: float | None = None,
) -> None:
    subject, made = subject_at(path, "level_tasks.py")
    name = f"{subject.system}-tasks"
    for metric in metrics:
        part, words = subject.part(examples), f"{made} --metrics {metric} --examples {examples}"
        if level is not None:
            part, words = replace(part, model=part.model.at(level)), f"{words} --level {level:g}"
        if guidance is not None:
            part, words = (
                replace(part, model=replace(part.model, guidance=guidance)),
                f"{words} --guidance {guidance:g}",
            )
        variant = {} if guidance is None else {"variant": f"guidance {guidance:g}"}
        found = Measured(name, [subject.seed], words)
        for row in timed(metric, part):
            fields = {"data": row.data, "system": row.system, "metric": row.metric, "split": row.split, **variant}
            found.add(row.value, row.protocol, row.seconds, **fields)
        found.write()
        for kind, x in part.pictures.items():
            both = x.view(2, -1, *x.shape[1:])[:, :DRAWN].view(2, -1, COLUMNS, *x.shape[1:]).transpose(0, 1)
            save_png(grid(both.flatten(0, 2), COLUMNS), RESULTS / f"{subject.system}-{kind}.png")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
