"""Judges from runs, from files and from the library, and their training."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch

from energybased.data import DATASETS, DataSet
from energybased.errors import require
from energybased.models import Judge
from energybased.recipes import JudgeRecipe, judge_digits
from energybased.runs.load import load
from energybased.runs.train import train

SHIPPED = Path(__file__).parents[1] / "judges"


def train_judge(recipe: JudgeRecipe | None = None, out: Path | str = "runs/judge") -> Judge:
    """Trains a judge and returns it with its averaged weights. The default recipe is that of the digits.

    Training uses one thread. More threads would change the rounding of sums, and so all distances a little.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return load_judge(train(judge_digits() if recipe is None else recipe, out=out, overwrite=True).path)
    finally:
        torch.set_num_threads(threads)


def load_judge(path: Path | str) -> Judge:
    """Loads a judge from a run or an exported file.

    Raises:
        UserError: if the model is not a judge.
    """
    model = load(path)
    require("features" in model.offers, f"{path} is not a judge")
    return cast(Judge, model)


def find_judge(data: DataSet, path: Path | None = None) -> Judge | None:
    """The judge at a path or, without a path, the library's judge of the data set; None if there is none."""
    if path is not None:
        return load_judge(path)
    file = SHIPPED / f"{data.name}.safetensors"
    return load_judge(file) if data.name in DATASETS and file.exists() else None
