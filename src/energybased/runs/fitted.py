"""What is fitted to data when a training has ended, in its run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.data import DataSet
from energybased.errors import UserError, require
from energybased.models.fitted import Fitted
from energybased.recipes import Recipe
from energybased.runs.upgrade import fitted_of
from energybased.settings import to_json
from energybased.training import Run

FILE = "fitted.json"


def read_fitted(run: Run, weights: str) -> Fitted | None:
    """What was fitted with these weights, given by the hash of their file; None if nothing was.

    Raises:
        UserError: if the file of the run cannot be read.
    """
    if not (run.path / FILE).is_file():
        return None
    facts = run.read_json(FILE)
    known = isinstance(facts, dict) and facts.keys() == {"weights", "fitted"}
    advice = f"remove it, and ebm train --resume {run.path} fits it again"
    require(known, f"{run.path / FILE} is not as it was written: {advice}")
    if facts["weights"] != weights:
        return None
    try:
        return fitted_of(facts["fitted"])
    except UserError as error:
        raise UserError(f"{run.path / FILE} is not as it was written: {error}; {advice}") from error


def store_fitted(run: Run, weights: str, fitted: Fitted) -> None:
    """Writes what was fitted with these weights, given by the hash of their file."""
    run.write_json(FILE, {"weights": weights, "fitted": to_json(fitted)})


def with_fitted(model: Any, recipe: Recipe, data: DataSet) -> Any:
    """The model with what its recipe fits to the data, unless it has that."""
    if getattr(model, "fitted", model) is not None:
        return model
    return replace(model, fitted=recipe.fitted(model, data))
