"""`ebm report RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tyro

from energybased.evaluation.judge import train_judge
from energybased.report.page import report as page
from energybased.runs.measure import measure
from energybased.runs.model import load
from energybased.training.run import Run


def report(path: tyro.conf.Positional[Path], /, long: bool = False) -> int:
    """Measures a run and writes results.json and report.html into it.

    Args:
        path: the run.
        long: also measure chains ten times as long as the recipe's.
    """
    model, opened = load(path), Run.open(path)
    data = model.recipe.load_data()
    rows = []
    if data.is_image and data.train.y is not None:
        measured = measure(model, opened, data, train_judge(data), model.recipe.seed, long)
        rows = measured.rows
        opened.write_json("results.json", rows)
    opened.write_text("report.html", page(opened, model, data, rows))
    print(opened.path / "report.html")
    return 0


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(report, args=arguments, prog="ebm report")
