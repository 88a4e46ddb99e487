"""What is measured: the model of a run, or one that comes with the package, with its data and judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rows import trained

from energybased.evaluation import Subject
from energybased.models.shipped import shipped
from energybased.recipes import read_recipe
from energybased.runs.evaluate import subject_of
from energybased.runs.judge import find_judge
from energybased.runs.load import load, run_of


def subject_at(path: Path, script: str) -> tuple[Subject, str]:
    """The subject of a run or of a shipped model, and the command that makes and measures it, without its options.

    Args:
        path: the run, or the name of the model.
        script: the file of this folder that measures it.
    """
    if path.exists() or str(path) not in shipped():
        run = run_of(path)
        return subject_of(run), f"{trained(run)}, python benchmarks/{script} RUN"
    model: Any = load(path)
    recipe = read_recipe(model.origin.settings)
    data = recipe.load_data()
    subject = Subject(model, data, find_judge(data, None), recipe.seed, recipe.recipe)
    return subject, f"python benchmarks/{script} {path}"
