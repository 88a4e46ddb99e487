"""Trained models, from the folder of a run or from an exported file."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from energybased.errors import UserError, require
from energybased.models import Model
from energybased.models.file import fill, read_model, read_spec
from energybased.recipes import Recipe, read_recipe
from energybased.runs.train import recipe_of
from energybased.runs.upgrade import upgraded
from energybased.training.checkpoint import load_group, read_state
from energybased.training.run import Run
from energybased.training.state import preserved_rng


def load(
    path: Path | str,
    *,
    step: int | None = None,
    device: str | torch.device = "cpu",
    energy: nn.Module | None = None,
    recipe: Recipe | None = None,
) -> Model:
    """The model of a run, with the averaged weights of a checkpoint, or of an exported file.

    Nothing in the run or the file is executed, and nothing is imported.

    Args:
        path: a run's folder, or a file that `Model.export` wrote.
        step: of the checkpoint; the newest if not given.
        device: where the model is put.
        energy: the network, of a run that was trained on one of the user's own; it is copied.
        recipe: the recipe, if its class cannot be found by its name.

    Raises:
        UserError: if there is no model, it is damaged or of another version, or names a class that is not imported.
    """
    path = Path(path)
    if path.is_file():
        require(step is None and energy is None, f"{path} is one exported model: it has no checkpoints")
        stored = read_model(path)
        settings, told = upgraded(stored, str(path))
        weights, where = stored.weights, str(path)
    else:
        run = Run.open(path)
        facts, folder = run.recipe, run.checkpoint(step)
        read_state(folder, facts["identity"])
        settings, told, weights, where = None, facts["spec"], load_group(folder, "ema"), str(path)
        recipe = recipe or recipe_of(run, None if energy is None else copy.deepcopy(energy))
    spec = read_spec(told, where)
    recipe = recipe or read_recipe(settings)
    with preserved_rng():
        parts = recipe.build(spec)
        known = {name.split("/", 1)[0] for name in weights}
        wanted = {name for name, part in parts.items() if part.state_dict()}
        require(wanted == known, f"{where} holds the parts {', '.join(sorted(known))}: its recipe has others")
        for name, part in parts.items():
            fill(part.cpu(), of_part(weights, name), where)
            part.eval().requires_grad_(False)
    model = recipe.model(parts, spec)
    return model if torch.device(device).type == "cpu" else model.to(device)


def of_part(weights: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """The weights of one part."""
    prefix = f"{part}/"
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def buffer_state(run: Run, step: int | None = None) -> dict[str, Tensor]:
    """The objective's state in a checkpoint, in which the replay buffer is."""
    return of_part(load_group(run.checkpoint(step), "state"), "objective")


def run_of(path: Path | str) -> Run:
    """The run of a path; raises `UserError` for an exported file, which has no checkpoints and no log."""
    path = Path(path)
    if path.is_file():
        raise UserError(f"{path} is one exported model, not a run")
    return Run.open(path)
