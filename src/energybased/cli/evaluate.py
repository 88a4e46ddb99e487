"""`ebm evaluate RUN`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import tyro

from energybased.cli.place import HERE, PlaceOptions
from energybased.cli.table import show, show_all
from energybased.evaluation import METRICS
from energybased.processes import is_first
from energybased.runs.evaluate import ALL, RESULTS, check_names, how_long, subject_of
from energybased.runs.evaluate import evaluate as measure
from energybased.runs.load import run_of


def evaluate(
    path: tyro.conf.Positional[Path],
    /,
    metrics: str = "",
    judge: Path | None = None,
    inception: Path | None = None,
    data: Path | None = None,
    place: PlaceOptions = HERE,
    all_rows: bool = False,
) -> int:
    """Measures a run, writes its results.json, and prints the values of the metrics asked for.

    Rows of other metrics are kept, and printed if no metric is named. It says beforehand about how long it will take.

    Args:
        path: the run.
        metrics: names of metrics, separated by commas; "all" for all that this run can be measured by; those that take
            minutes are left out if not given.
        judge: run or exported file of a judge; the library's judge of the data set if not given.
        inception: file of the weights of the Inception network of 2015, as the PyTorch port has them. With it, metrics
            in its features are measured too.
        data: path of the data, if the run neither names nor stores them.
        place: device and processes that compute.
        all_rows: print each value in a line of its own, with how it was measured.
    """
    run, names = run_of(path), [name.strip() for name in metrics.split(",") if name.strip()]
    check_names(names)
    subject = subject_of(run, judge=judge, inception=inception, data=data, **place.options)
    time = how_long(run, names, subject)
    if is_first():
        print(time, file=sys.stderr, flush=True)
    rows = measure(run, names, subject=subject)
    if not is_first():
        return 0
    shown = [row for row in rows if row.measured_by in names] if names and ALL not in names else rows
    if all_rows:
        show_all(shown)
    else:
        show(shown, subject.system)
        print(f"{run.path / RESULTS} has all {len(rows)} values and how they were measured; --all-rows prints them")
    return 0


def run(arguments: Sequence[str]) -> int:
    if "--help" in arguments or "-h" in arguments:
        print("metrics: all, or", ", ".join(METRICS), "\n")
    return tyro.cli(evaluate, args=arguments, prog="ebm evaluate")
