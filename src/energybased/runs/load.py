"""Loading of trained models from runs, exported files and the weights that come with this package."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from energybased.data import DataSpec
from energybased.devices import bfloat16_pays, find_device
from energybased.errors import UserError, require
from energybased.models import Model
from energybased.models.file import read_model, read_spec
from energybased.models.shipped import located, shipped
from energybased.processes import launch
from energybased.recipes import Recipe, read_recipe
from energybased.runs.fitted import read_fitted
from energybased.runs.upgrade import fitted_of, upgraded
from energybased.training.checkpoint import load_group, read_state
from energybased.training.rng import preserved_rng
from energybased.training.run import Run
from energybased.training.state import split_parts
from energybased.version import __version__


def load(
    path: Path | str,
    *,
    step: int | None = None,
    device: str | torch.device = "cpu",
    energy: nn.Module | None = None,
    recipe: Recipe | None = None,
    devices: int = 1,
    nodes: int = 1,
) -> Model:
    """Loads a model from a run, with the averaged weights of a checkpoint, from an exported file, or a shipped one.

    Loading executes no code of the run or file, and imports nothing. An exported model computes in float32 where
    bfloat16 is slower, as a training does.

    Args:
        path: folder of a run, a file that `Model.export` wrote, or the name of a model that comes with this package,
            such as "cifar10-energy"; its weights are in the folder `weights`. What exists at the path wins.
        step: step of the checkpoint; the newest if not given.
        device: device of the model.
        energy: the network, if the run was trained on a network of the user; it is copied.
        recipe: the recipe, if its class cannot be found by its name.
        devices: number of processes on each machine, which share what the model computes; see docs/speed.md. The other
            processes run the same script, and all must make the same calls of the model.
        nodes: number of machines, on each of which the same script is started.

    Raises:
        UserError: if there is no model, it is damaged or of another version, or it names a class that is not imported.
    """
    path, wrote = located(path), __version__
    if path.is_file():
        require(step is None and energy is None, f"{path} is an exported model: step and energy apply only to runs")
        stored = read_model(path)
        settings, stored_spec = upgraded(stored, str(path))
        weights, where, wrote = stored.weights, str(path), stored.library
        fitted = None if stored.fitted is None else fitted_of(stored.fitted)
    else:
        run = Run.open(path)
        facts, folder = run.recipe, run.checkpoint(step)
        state = read_state(folder, facts["identity"])
        settings, stored_spec, weights, where = None, facts["spec"], load_group(folder, "ema"), str(path)
        fitted = read_fitted(run, state["sha256"]["ema.safetensors"])
        recipe = recipe or recipe_of(run, None if energy is None else copy.deepcopy(energy))
    with written_by(wrote, where):
        spec = read_spec(stored_spec, where)
        recipe = recipe or read_recipe(settings)
        model: Any = model_of(recipe, spec, weights, where)
    model = model if fitted is None else replace(model, fitted=fitted)
    processes = launch(devices, nodes, str(device))
    model = replace(model, processes=processes) if hasattr(model, "processes") else model
    place = processes.device or find_device(device)
    if path.is_file() and getattr(recipe, "precision", "") == "bfloat16" and not bfloat16_pays(place):
        model = model.to(dtype=torch.float32)
    return model if place.type == "cpu" else model.to(place)


@contextmanager
def written_by(version: str, where: str) -> Iterator[None]:
    """Says in errors that another version of this library wrote the model at `where`, if one did."""
    try:
        yield
    except UserError as error:
        if version == __version__:
            raise
        versions = f"{where} was written by version {version} of energybased, and this is version {__version__}"
        raise UserError(f"{versions}, which cannot read it: {error}") from error


def model_of(recipe: Recipe, spec: DataSpec, weights: Mapping[str, Tensor], where: str) -> Model:
    """The model of a recipe with these weights. Errors name `where`, from which the weights were read."""
    with preserved_rng():
        check_shapes(recipe, spec, weights, where)
        parts = recipe.build(spec)
        for name, part in parts.items():
            part.cpu().load_state_dict(split_parts(weights).get(name, {}))
            part.eval().requires_grad_(False)
    return recipe.model(parts, spec)


def load_history(run: Run, recipe: Recipe, device: str = "cpu") -> list[Model]:
    """Models with the weights that a run kept of the last hundredths of its training, the oldest first."""
    spec, where = read_spec(run.recipe["spec"], str(run.path)), f"{run.path}/history"
    return [model_of(copy.deepcopy(recipe), spec, weights, where).to(device) for weights in run.history()]


def check_shapes(recipe: Recipe, spec: DataSpec, weights: Mapping[str, Tensor], where: str) -> None:
    """Compares names and shapes of weights with those of the recipe's networks, if possible without allocating them.

    Raises:
        UserError: if they differ.
    """
    differ = f"the weights of {where} do not fit the networks of its recipe"
    try:
        try:
            with torch.device("meta"):  # tensors have shapes, but no values
                parts = recipe.build(spec)
        except (RuntimeError, NotImplementedError):  # a network of the user may need values
            parts = recipe.build(spec)
    except (RuntimeError, MemoryError, OverflowError, TypeError) as error:
        raise UserError(f"{differ}: {str(error).splitlines()[0]}") from error
    wanted = {f"{part}/{name}": v.shape for part, m in parts.items() for name, v in m.state_dict().items()}
    require(wanted == {name: v.shape for name, v in weights.items()}, differ)


def run_of(path: Path | str) -> Run:
    """The run at a path.

    Raises:
        UserError: if there is none. An exported or shipped model has no checkpoints, no log and no data.
    """
    path = Path(path)
    if path.is_file():
        raise UserError(f"{path} is a file, not a run, which is a folder with checkpoints")
    only = not path.exists() and str(path) in shipped()
    require(not only, f"{path} is a shipped model, not a run, which is a folder with checkpoints that ebm train writes")
    return Run.open(path)


def recipe_of(run: Run, energy: nn.Module | None = None) -> Recipe:
    """The recipe of a run.

    Args:
        energy: the network, if the run was trained on a network of the user.
    """
    recipe = read_recipe(run.recipe["settings"])
    if energy is None:
        return recipe
    require(recipe.recipe == "custom", f"{run.path} is a run of a recipe, which has its own network")
    return replace(recipe, energy=energy)  # type: ignore[call-arg]
