"""Judges: from a run of a recipe, from a file, or trained on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from energybased.errors import UserError, require
from energybased.evaluation.judge import Judge
from energybased.recipes import JudgeRecipe, Recipe, judge_digits
from energybased.runs.settings import read_recipe
from energybased.runs.train import train
from energybased.training.checkpoint import load_group, read_state
from energybased.training.run import Run


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
    """The judge of a run, or of a file that `save_judge` wrote."""
    path = Path(path)
    if path.is_dir():
        run = Run.open(path)
        recipe, event = _checked(read_recipe(run.recipe["settings"]), path), tuple(run.recipe["event"])
        read_state(run.newest_checkpoint(), run.recipe["identity"])  # names what is damaged
        weights = {k.removeprefix("judge/"): v for k, v in load_group(run.newest_checkpoint(), "ema").items()}
    else:
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path} is not a judge: {error}") from error
        require("recipe" in header and "event" in header, f"{path} is not a judge: it says nothing of its recipe")
        try:
            recipe = _checked(read_recipe(json.loads(header["recipe"])), path)
            event = tuple(json.loads(header["event"]))
        except (ValueError, TypeError) as error:
            raise UserError(f"{path} is not a judge: its settings cannot be read") from error
    judge = recipe.build(event)
    try:
        judge.load_state_dict({name: _single(value) for name, value in weights.items()})
    except RuntimeError as error:
        raise UserError(f"the weights of {path} do not fit the judge of its recipe") from error
    return judge.eval().requires_grad_(False)


def save_judge(run: Path | str, file: Path | str) -> None:
    """Writes the judge of a run into one small file, in half precision."""
    judge, facts = load_judge(run), Run.open(run).recipe
    header = {"recipe": json.dumps(facts["settings"]), "event": json.dumps(facts["event"])}
    halves = {k: v.half() if v.is_floating_point() else v for k, v in judge.state_dict().items()}
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    save_file(halves, file, metadata=header)


def _checked(recipe: Recipe, path: Path) -> JudgeRecipe:
    if not isinstance(recipe, JudgeRecipe):
        raise UserError(f"{path} holds no judge: its recipe is {recipe.recipe}")
    return recipe


def _single(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
