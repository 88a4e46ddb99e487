"""`ebm report RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tyro

from energybased.report import report as page
from energybased.runs.evaluate import evaluate, subject_of
from energybased.runs.load import load, run_of


def report(
    path: tyro.conf.Positional[Path],
    /,
    judge: Path | None = None,
    data: Path | None = None,
    device: str = "cpu",
) -> int:
    """Measures what was not measured yet, and writes report.html into the run.

    Args:
        path: the run.
        judge: a judge's run or file; the one that comes with the library for the data set if not given. Without a judge
            there are no Fréchet distances.
        data: the data, if the run neither names nor keeps them.
        device: where it is computed, such as cpu or cuda.
    """
    opened = run_of(path)
    subject = subject_of(opened, judge=judge, data=data, model=load(path, device=device))
    rows = evaluate(opened, subject=subject, only_missing=True)
    opened.write_text("report.html", page(opened, subject, rows))
    print(opened.path / "report.html")
    return 0


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(report, args=arguments, prog="ebm report")
