"""Judges: of a run, of a file, of those that come with the library, or trained on the spot."""

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
    """Trains a judge, by default that of the digits, and returns it with its averaged weights.

    It is trained on one thread: sums over more would change its last bits, and with them every distance.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return load_judge(train(judge_digits() if recipe is None else recipe, out=out, overwrite=True).path)
    finally:
        torch.set_num_threads(threads)


def load_judge(path: Path | str) -> Judge:
    """The judge of a run, or of an exported file.

    Raises:
        UserError: if it holds another model.
    """
    model = load(path)
    require("features" in model.offers, f"{path} holds no judge")
    return cast(Judge, model)


def find_judge(data: DataSet, path: Path | None = None) -> Judge | None:
    """The judge at a path, or the one that comes with the library for a data set; None if there is none."""
    if path is not None:
        return load_judge(path)
    known = SHIPPED / f"{data.name}.safetensors"
    return load_judge(known) if data.name in DATASETS and known.exists() else None
