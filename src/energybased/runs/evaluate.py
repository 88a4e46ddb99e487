"""Evaluation of a run by metrics. The values are stored in its results.json."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from energybased.errors import UserError, nearest, require
from energybased.evaluation import METRICS, Metric, Row, Subject
from energybased.evaluation.compared import extractor_of
from energybased.evaluation.cost import Expected, expected
from energybased.evaluation.enough import TooFew
from energybased.evaluation.extractors.inception import WEIGHTS
from energybased.evaluation.subject import IN_WORDS
from energybased.models import Judge
from energybased.processes import is_first
from energybased.recipes import Recipe
from energybased.runs.data import run_data
from energybased.runs.fitted import with_fitted
from energybased.runs.judge import find_judge
from energybased.runs.load import load, load_history, recipe_of, run_of
from energybased.training import checkpoint
from energybased.training.run import Run

RESULTS = "results.json"
ALL = "all"  # what `metrics` may be instead of names
log = logging.getLogger("energybased")


def subject_of(
    run: Run,
    *,
    judge: Judge | Path | None = None,
    inception: Path | None = None,
    data: Any = None,
    energy: nn.Module | None = None,
    device: str = "cpu",
    devices: int = 1,
    nodes: int = 1,
) -> Subject:
    """The model, data and judge of a run, for metrics.

    Args:
        run: the run.
        judge: a judge, or its path; the library's judge of the data set if not given.
        inception: file of the weights of the Inception network; found or downloaded if a metric needs it.
        data: the data, if the run does not store them.
        energy: the network, if the run was trained on a network of the user.
        device: device of the model.
        devices: number of processes on each machine, as in `load`.
        nodes: number of machines.
    """
    require(inception is None or inception.is_file(), f"there is no file {inception}")
    recipe = recipe_of(run, energy)
    model = load(run.path, energy=energy, device=device, devices=devices, nodes=nodes)
    dataset = run_data(run, recipe, data)
    model = with_fitted(model, recipe, dataset)  # a run that has not finished, or of an earlier version
    found = judge if isinstance(judge, Judge) else find_judge(dataset, judge)
    fits = found is None or tuple(found.spec.event) == dataset.event
    require(fits, f"the judge takes examples of shape {found and found.spec.event}, but the data have {dataset.event}")
    history, buffer = load_history(run, recipe, device), _buffer(run, recipe, dataset)
    subject = Subject(model, dataset, found, recipe.seed, recipe.recipe, buffer, history, inception=inception)
    if inception is not None:
        extractor_of(subject, "inception")  # a file of something else is refused before minutes of other metrics
    return subject


def evaluate(
    run: Run | Path | str,
    metrics: str | Sequence[str] = (),
    *,
    energy: nn.Module | None = None,
    data: Any = None,
    judge: Judge | Path | None = None,
    subject: Subject | None = None,
    only_missing: bool = False,
) -> list[Row]:
    """Measures a run, writes the values as rows into its results.json, and returns all rows of this file.

    A row is one value, with its metric, split, number of examples, protocol and seed.

    Args:
        run: a run, or its folder.
        metrics: one name in `evaluation.METRICS`, or several; "all" for all that this run can be measured by; all that
            are not optional if not given. Rows of other metrics are kept.
        energy: the network, if the run was trained on a network of the user.
        data: the data, if the run does not store them.
        judge: a judge, or its path; the library's judge of the data set if not given.
        subject: what is measured, instead of the model, data and judge of the run.
        only_missing: leave out metrics that have rows already.

    Raises:
        UserError: if there is no such metric, or a named metric needs something that the run does not have.
    """
    run = run if isinstance(run, Run) else run_of(run)
    metrics = (metrics,) if isinstance(metrics, str) else metrics
    check_names(metrics)
    subject = subject_of(run, energy=energy, data=data, judge=judge) if subject is None else subject
    done = {row.measured_by for row in read_rows(run)} if only_missing else set()
    names, skipped = measurable(run, metrics, subject)
    rows, refusal = read_rows(run), UserError if ALL in metrics else TooFew
    for name in (name for name in names if name not in done):
        try:
            measured = list(timed(name, subject))
        except refusal as error:
            if name in metrics:
                raise
            skipped.append(f"{name}: {error}")
            continue
        rows = [row for row in rows if row.measured_by != name] + measured
        if is_first():
            run.write_json(RESULTS, [row.json() for row in rows])
    if skipped:
        log.info("skipped metrics: %s", "; ".join(skipped))
    return rows


def check_names(metrics: Sequence[str]) -> None:
    """Raises `UserError` if there is no metric of a name."""
    for name in metrics:
        require(name == ALL or name in METRICS, f"there is no metric {name!r}: {nearest(name, METRICS, [ALL])}")


def asked_for(metrics: Sequence[str], subject: Subject) -> list[str]:
    """The names of the metrics that are measured: the named ones, all, or all that are not optional if none is named.

    With "all", metrics in the features of Inception are left out if its weights are not at hand.
    """
    if ALL in metrics:
        weights = subject.inception or WEIGHTS.find(None)
        others = [
            name for name, metric in METRICS.items() if weights or getattr(metric, "extractor", "") != "inception"
        ]
        return [name for name in METRICS if name in metrics or name in others]
    return list(metrics) or [name for name, metric in METRICS.items() if is_default(metric, subject)]


def measurable(run: Run, metrics: Sequence[str], subject: Subject) -> tuple[list[str], list[str]]:
    """The names of the metrics that can be measured, and remarks on what the others need.

    Raises:
        UserError: if there is no such metric, or a named metric needs something that the run does not have.
    """
    check_names(metrics)
    names, lacking = list[str](), dict[str, list[str]]()
    for name in asked_for(metrics, subject):
        missing = ", ".join(IN_WORDS.get(need, need) for need in subject.missing(METRICS[name].needs))
        require(not missing or name not in metrics, f"{run.path} cannot be measured so: {name} needs {missing}")
        if missing:
            lacking.setdefault(missing, []).append(name)
        else:
            names.append(name)
    return names, [f"{', '.join(who)} need{'s' * (len(who) == 1)} {what}" for what, who in lacking.items()]


def how_long(run: Run, metrics: Sequence[str], subject: Subject) -> Expected:
    """About how long `evaluate` will take.

    Args:
        run: the run. The seconds in the rows of its results.json are expected again.
        metrics: as in `evaluate`.
        subject: what is measured.

    Raises:
        UserError: as `measurable`.
    """
    recorded = dict[str, float]()
    for row in read_rows(run):
        recorded[row.measured_by] = recorded.get(row.measured_by, 0.0) + row.seconds
    asked = {name: METRICS[name] for name in measurable(run, metrics, subject)[0]}
    works = {name: metric.work(subject) if hasattr(metric, "work") else () for name, metric in asked.items()}
    return expected(subject, works, recorded)


def is_default(metric: Metric, subject: Subject) -> bool:
    """Whether a metric is measured without being asked for: if it is not optional, or the user gave its weights."""
    weights_given = getattr(metric, "extractor", "") == "inception" and subject.inception is not None
    return weights_given or not getattr(metric, "optional", False)


def timed(name: str, subject: Subject) -> Iterator[Row]:
    """Measures a metric and yields its rows, with the seconds that each took."""
    began = time.monotonic()
    for row in METRICS[name].measure(subject):
        now = time.monotonic()
        yield row._replace(seconds=now - began, measured_by=name)
        began = now


def read_rows(run: Run) -> list[Row]:
    """The rows of a run's results.json; an empty list if it has none."""
    if not (run.path / RESULTS).is_file():
        return []
    try:
        return [Row(**row) for row in run.read_json(RESULTS)]  # type: ignore[arg-type]
    except TypeError as error:
        raise UserError(f"{run.path / RESULTS} does not hold rows: {error}") from error


def _buffer(run: Run, recipe: Recipe, data: Any) -> tuple[Any, dict[str, Tensor]] | None:
    """Settings and state of the replay buffer of the last phase; None if there is none."""
    states = checkpoint.objectives(run.checkpoint())
    try:
        buffer = getattr(recipe.phases(data)[-1].objective, "buffer", None) if "pointer" in states[0] else None
    except UserError:  # phases that were passed in Python, which a run does not store
        buffer = None
    if buffer is None or tuple(states[0]["x"].shape[1:]) != data.event:
        return None
    return buffer, buffer.merge(states)
