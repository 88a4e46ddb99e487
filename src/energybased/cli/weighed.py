"""Models whose classes are weighed by the data of their run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Generator

from energybased.errors import UserError
from energybased.runs.data import run_data
from energybased.runs.load import recipe_of, run_of
from energybased.tasks.class_terms import with_class_terms


def weighed(model: Any, path: Path, generator: Generator) -> tuple[Any, tuple[str, ...]]:
    """The model with class terms that are fitted to the data of the run at `path`; and remarks.

    A model whose class is given, or that has none, is returned unchanged, and so is one whose data are not at hand.
    """
    if model.classes == 0:
        return model, ()
    try:
        run = run_of(path)
        return with_class_terms(model, run_data(run, recipe_of(run), None), generator), ()
    except UserError as error:
        return model, (f"the classes are not weighed by data ({error}): --given CLASS restores as one class",)
