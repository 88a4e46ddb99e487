"""`ebm evaluate RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tyro

from energybased.cli.table import show
from energybased.evaluation import METRICS
from energybased.processes import is_first
from energybased.runs.evaluate import evaluate as measure
from energybased.runs.evaluate import subject_of
from energybased.runs.load import run_of


def evaluate(
    path: tyro.conf.Positional[Path],
    /,
    metrics: str = "",
    judge: Path | None = None,
    inception: Path | None = None,
    data: Path | None = None,
    device: str = "cpu",
    devices: int = 1,
    nodes: int = 1,
) -> int:
    """Measures a run, writes its results.json, and prints the values. Rows of other metrics are kept.

    Args:
        path: the run.
        metrics: names of metrics, separated by commas; all that are not optional if not given.
        judge: run or exported file of a judge; the library's judge of the data set if not given.
        inception: file of the weights of the Inception network of 2015, as the PyTorch port has them. With it, metrics
            in its features are measured too.
        data: path of the data, if the run neither names nor stores them.
        device: device that computes, such as cpu or cuda.
        devices: number of processes on each machine, each with a GPU or a share of the processor.
        nodes: number of machines.
    """
    run = run_of(path)
    subject = subject_of(run, judge=judge, inception=inception, data=data, device=device, devices=devices, nodes=nodes)
    rows = measure(run, [name for name in metrics.split(",") if name], subject=subject)
    if is_first():
        show(rows)
    return 0


def run(arguments: Sequence[str]) -> int:
    if "--help" in arguments or "-h" in arguments:
        print("metrics:", ", ".join(METRICS), "\n")
    return tyro.cli(evaluate, args=arguments, prog="ebm evaluate")
