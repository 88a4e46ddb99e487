"""Training a recipe, or a network of one's own, into a run."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from energybased.data import DataSet
from energybased.data.pictures import grid, save_png
from energybased.energies import as_energy
from energybased.errors import UserError, require
from energybased.objectives import Objective
from energybased.recipes import Recipe
from energybased.runs.settings import read_recipe, to_json
from energybased.training import Loop, Phase, Run, Settings, TrainState, checkpoint
from energybased.training.checkpoint import read_state

VERSIONS = ("energybased", "torch", "numpy", "lightning-fabric")


def train(
    recipe: Recipe | None = None,
    *,
    out: Path | str | None = None,
    overwrite: bool = False,
    energy: nn.Module | None = None,
    data: Any = None,
    objective: Objective | None = None,
    steps: int | None = None,
    settings: Settings | None = None,
) -> Run:
    """Trains and returns the finished run.

    Either `recipe` alone, or one's own `energy` (any `nn.Module` that maps x to `(batch,)`), `data` (a tensor, a
    pair (x, y), a `Dataset` or a `DataLoader`), `objective` and `steps`.

    Args:
        recipe: a recipe with its settings.
        out: the run's folder; `runs/<recipe>` if not given.
        overwrite: replace a run that is there.
        settings: seed, batch size, optimiser and the like, beside one's own parts.

    Raises:
        UserError: if a setting, the data or the folder cannot be used.
        Interrupted: after Ctrl-C, with a checkpoint written.
    """
    if recipe is not None:
        require(isinstance(recipe, Recipe), f"recipe is one of energybased.recipes, got {recipe!r}")
        own = energy is None and data is None and objective is None and settings is None
        require(own, "give a recipe, or parts of your own; not both")
        recipe = recipe if steps is None else replace(recipe, steps=steps)
        loop, facts = _of_recipe(recipe)
        folder = Path(out) if out is not None else Path("runs") / recipe.recipe
    else:
        if energy is None or data is None or objective is None or steps is None or out is None:
            raise UserError("train needs a recipe, or energy, data, objective, steps and out")
        loop, facts = _of_parts(energy, data, objective, steps, settings)
        folder = Path(out)
    return _fit(loop, recipe, Run.create(folder, facts, overwrite))


def resume(
    path: Path | str,
    *,
    energy: nn.Module | None = None,
    data: Any = None,
    objective: Objective | None = None,
    steps: int | None = None,
    settings: Settings | None = None,
) -> Run:
    """Goes on with a run, bit for bit as if it had never stopped; a finished run is returned as it is.

    A run of a recipe needs its path alone; one on parts of your own needs the same parts again.
    """
    run = Run.open(path)
    facts, recipe = run.recipe, None
    if facts["settings"] is not None:
        none = all(part is None for part in (energy, data, objective, steps, settings))
        require(none, f"{path} is a run of a recipe, which has its parts: pass the path alone")
        recipe = read_recipe(facts["settings"])
        loop, _ = _loop(recipe, same_data(run, recipe))
    else:
        if energy is None or data is None or objective is None or steps is None:
            raise UserError(f"{path} was trained on parts of your own: pass energy, data, objective and steps again")
        loop, _ = _of_parts(energy, data, objective, steps, settings)
    run.lock()
    try:
        loop.resume(run)
        return _fit(loop, recipe, run)
    finally:
        run.release()


def same_data(run: Run, recipe: Recipe) -> DataSet:
    """The data of a run, which must be those that it began with."""
    data = recipe.load_data()
    same = data.sha256() == run.recipe["data_sha256"]
    require(same, f"the data {recipe.data!r} are not those the run began with")
    return data


def is_finished(path: Path | str) -> bool:
    """Whether the newest checkpoint of a recipe's run is its last."""
    run = Run.open(path)
    counters = read_state(run.newest_checkpoint(), run.recipe["identity"])["counters"]
    settings = run.recipe["settings"]
    phases = 1 if settings is None else len(read_recipe(settings).phases())
    return counters["phase"] >= phases or counters["stopped"] is not None


def _of_recipe(recipe: Recipe) -> tuple[Loop, dict[str, Any]]:
    """A recipe's loop, and what its run has to say of it."""
    dataset = recipe.load_data()
    for note in dataset.notes:
        print(f"{recipe.data}: {note}")
    loop, recipe = _loop(recipe.fitted(dataset), dataset)
    for note in recipe.notes:
        print(f"{recipe.recipe}: {note}")
    return loop, _facts(to_json(recipe), recipe.recipe, dataset.event, dataset.sha256())


def _loop(recipe: Recipe, data: DataSet) -> tuple[Loop, Recipe]:
    """A recipe's loop, and the recipe with everything decided."""
    examples = recipe.examples(data)
    x = examples[0]
    require(
        x.dtype == torch.uint8 or (float(x.min()) >= 0 and float(x.max()) <= 1),
        f"{recipe.data} holds values outside [0, 1], and the recipe is one for pixels: scale them",
    )
    parts = recipe.parts(data)
    settled = recipe.settled(parts, examples)
    if settled != recipe:
        return _loop(settled, data)
    return Loop(parts, recipe.phases(), examples, recipe), recipe


def _of_parts(
    energy: nn.Module, data: Any, objective: Objective, steps: int, settings: Settings | None
) -> tuple[Loop, dict[str, Any]]:
    """The loop of a user's own parts, and what its run has to say of it."""
    loop = Loop({"energy": as_energy(energy)}, [Phase(objective, steps)], data, settings or Settings())
    first = data[0] if isinstance(data, (tuple, list)) else data
    event = first.shape[1:] if isinstance(first, Tensor) else ()
    return loop, _facts(None, type(energy).__name__, event, "")


def _fit(loop: Loop, recipe: Recipe | None, run: Run) -> Run:
    try:
        loop.fit(run, lambda state: _picture(recipe, state, run))
    except UserError:
        if checkpoint.newest(run.path / "checkpoints") is None:  # nothing to go on from: the name stays free
            shutil.rmtree(run.path, ignore_errors=True)
        raise
    finally:
        run.release()
    return run


def _picture(recipe: Recipe | None, state: TrainState, run: Run) -> None:
    """Shows some chains of the replay buffer."""
    chains = state.objective.get("x")
    if recipe is None or chains is None or chains.ndim != 4 or chains.shape[1] not in (1, 3):
        return
    shown = chains[:64].float() / 256 if chains.dtype == torch.uint8 else chains[:64]
    try:
        (run.path / "samples").mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {run.path / 'samples'}: {error.strerror}") from error
    save_png(grid(shown), run.path / "samples" / f"{state.counters.step:08d}.png")


def _facts(settings: Any, name: str, event: Sequence[int], data_sha256: str) -> dict[str, Any]:
    return {
        "recipe": name,
        "settings": settings,
        "event": list(event),
        "data_sha256": data_sha256,
        "threads": torch.get_num_threads(),
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in VERSIONS},
    }
