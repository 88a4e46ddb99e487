"""Measuring a run by metrics, into its results.json."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from energybased.errors import UserError, nearest, require
from energybased.evaluation import METRICS, Row, Subject
from energybased.models import Judge, Model
from energybased.recipes import Recipe
from energybased.runs.data import run_data
from energybased.runs.judge import find_judge
from energybased.runs.load import buffer_state, load
from energybased.runs.train import recipe_of
from energybased.training.run import Run

RESULTS = "results.json"
log = logging.getLogger("energybased")


def subject_of(
    run: Run,
    *,
    judge: Judge | Path | None = None,
    data: Any = None,
    energy: nn.Module | None = None,
    model: Model | None = None,
) -> Subject:
    """The model, data and judge of a run, for metrics.

    Args:
        judge: a judge, or where one is; the one that comes with the library for the data set if not given.
        data: the data again, if the run does not keep them.
        energy: the network again, of a run that was trained on one of the user's own.
        model: the model, if it is not the one that the run's newest checkpoint holds.
    """
    recipe = recipe_of(run, energy)
    model = load(run.path, energy=energy) if model is None else model
    dataset = run_data(run, recipe, data)
    found = judge if isinstance(judge, Judge) else find_judge(dataset, judge)
    fits = found is None or tuple(found.spec.event) == dataset.event
    require(fits, f"a judge of {found and found.spec.event} cannot look at examples of {dataset.event}")
    return Subject(model, dataset, found, recipe.seed, recipe.recipe, _buffer(run, recipe, dataset))


def evaluate(
    run: Run | Path | str,
    metrics: Sequence[str] = (),
    *,
    subject: Subject | None = None,
    only_missing: bool = False,
    **given: Any,
) -> list[Row]:
    """Measures a run, writes the rows into its results.json, and returns all rows that are there.

    Args:
        metrics: names in `METRICS`; all that are not optional if not given. Rows of other metrics are kept.
        only_missing: leave out metrics whose rows are there.
        subject: what is measured; made from the run, with `given`, if not given. See `subject_of`.

    Raises:
        UserError: if there is no such metric, or a named metric needs what the run does not have.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    for name in metrics:
        require(name in METRICS, f"there is no metric {name!r}: {nearest(name, METRICS)}")
    subject = subject_of(run, **given) if subject is None else subject
    done = {row.measured_by for row in read_rows(run)} if only_missing else set()
    asked = metrics or [name for name, metric in METRICS.items() if not getattr(metric, "optional", False)]
    rows, skipped = read_rows(run), list[str]()
    for name in (name for name in asked if name not in done):
        missing = subject.missing(METRICS[name].needs)
        if missing:
            told = f"{name} needs {', '.join(missing)}"
            require(name not in metrics, f"{told}, which {run.path} does not have")
            skipped.append(told)
            continue
        made = list(timed(name, subject))
        rows = [row for row in rows if row.measured_by != name] + made
        run.write_json(RESULTS, [row.json() for row in rows])
    if skipped:
        log.info("metrics that do not apply: %s", "; ".join(skipped))
    return rows


def timed(name: str, subject: Subject) -> Iterator[Row]:
    """The rows of a metric, with the seconds that each took."""
    began = time.monotonic()
    for row in METRICS[name].measure(subject):
        now = time.monotonic()
        yield row._replace(seconds=now - began, measured_by=name)
        began = now


def read_rows(run: Run) -> list[Row]:
    """The rows of a run's results.json; none if it was not measured."""
    if not (run.path / RESULTS).is_file():
        return []
    try:
        return [Row(**row) for row in run.read_json(RESULTS)]  # type: ignore[arg-type]
    except TypeError as error:
        raise UserError(f"{run.path / RESULTS} does not hold rows: {error}") from error


def _buffer(run: Run, recipe: Recipe, data: Any) -> tuple[Any, dict[str, Tensor]] | None:
    """The replay buffer of the last phase, settings and state."""
    state = buffer_state(run)
    try:
        buffer = getattr(recipe.phases(data)[-1].objective, "buffer", None) if "pointer" in state else None
    except UserError:  # phases beside a network of the user's own, which a run does not keep
        buffer = None
    return None if buffer is None or tuple(state["x"].shape[1:]) != data.event else (buffer, state)
