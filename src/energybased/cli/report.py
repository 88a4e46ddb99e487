"""`ebm report RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tyro

from energybased.report import report as page
from energybased.runs.evaluate import evaluate, subject_of
from energybased.runs.load import run_of


def report(
    path: tyro.conf.Positional[Path],
    /,
    judge: Path | None = None,
    data: Path | None = None,
    device: str = "cpu",
) -> int:
    """Writes report.html into the folder of a run. Metrics without rows in its results.json are measured first.

    Args:
        path: the run.
        judge: run or exported file of a judge; the library's judge of the data set if not given. Without a judge there
            are no Fréchet distances.
        data: path of the data, if the run neither names nor stores them.
        device: device that computes, such as cpu or cuda.
    """
    opened = run_of(path)
    subject = subject_of(opened, judge=judge, data=data, device=device)
    rows = evaluate(opened, subject=subject, only_missing=True)
    opened.write_text("report.html", page(opened, subject, rows))
    print(opened.path / "report.html")
    return 0


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(report, args=arguments, prog="ebm report")
