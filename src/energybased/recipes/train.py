"""Training a recipe, or a network of one's own, into a run."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from energybased.data import load_data
from energybased.data.pictures import grid, save_png
from energybased.energies import as_energy
from energybased.energy import Energy
from energybased.errors import UserError, require
from energybased.objectives import Objective
from energybased.recipes.recipe import EnergyRecipe
from energybased.recipes.settings import from_json, to_json
from energybased.training import Loop, Phase, Run, Settings, TrainState

VERSIONS = ("energybased", "torch", "numpy", "lightning-fabric")


def train(
    recipe: EnergyRecipe | None = None,
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
        require(energy is None and data is None and objective is None, "give a recipe, or parts of your own; not both")
        recipe = recipe if steps is None else replace(recipe, steps=steps)
        dataset = load_data(recipe.data)
        folder = Path(out) if out is not None else Path("runs") / recipe.recipe
        facts = _facts(to_json(recipe), recipe.recipe, dataset.event, dataset.sha256())
        examples = recipe.examples(dataset)
        require(
            float(examples.min()) >= 0 and float(examples.max()) <= 1,
            f"{recipe.data} holds values outside [0, 1], and the recipe is one for pixels: scale them",
        )
        energy = recipe.energy(examples)
        run = Run.create(folder, facts, overwrite)
        return _fit(_recipe_loop(recipe, examples, energy, run), recipe, run)
    if energy is None or data is None or objective is None or steps is None or out is None:
        raise UserError("train needs a recipe, or energy, data, objective, steps and out")
    settings = Settings() if settings is None else settings
    own = as_energy(energy)
    event = tuple(data[0].shape[1:] if isinstance(data, (tuple, list)) else data.shape[1:]) if _is_tensors(data) else ()
    run = Run.create(Path(out), _facts(None, type(energy).__name__, event, ""), overwrite)
    return _fit(Loop({"energy": own}, [Phase(objective, steps)], data, settings, run), None, run)


def resume(path: Path | str) -> Run:
    """Goes on with a run of a recipe, bit for bit as if it had never stopped; a finished run is returned as it is."""
    run = Run.open(path)
    facts = run.recipe
    require(facts.get("settings") is not None, f"{path} was trained on a network of your own and not from a recipe")
    recipe = from_json(EnergyRecipe, facts["settings"])
    run.lock()
    try:
        checkpoint = run.newest_checkpoint()
        dataset = load_data(recipe.data)
        require(dataset.sha256() == facts["data_sha256"], f"the data {recipe.data!r} are not those the run began with")
        examples = recipe.examples(dataset)
        loop = _recipe_loop(recipe, examples, recipe.energy(examples), run)
        loop.resume(checkpoint)
        return _fit(loop, recipe, run)
    finally:
        run.release()


def _recipe_loop(recipe: EnergyRecipe, examples: Tensor, energy: Energy, run: Run) -> Loop:
    return Loop({"energy": energy}, recipe.phases(), examples, recipe, run)


def _fit(loop: Loop, recipe: EnergyRecipe | None, run: Run) -> Run:
    try:
        loop.fit(lambda state: _picture(recipe, state, run))
    finally:
        run.release()
    return run


def _picture(recipe: EnergyRecipe | None, state: TrainState, run: Run) -> None:
    """Shows some chains of the replay buffer."""
    chains = state.objective.get("x")
    if recipe is None or chains is None or chains.ndim != 4:
        return
    shown: Tensor = chains[:64].float() / 255 if chains.dtype == torch.uint8 else chains[:64]
    (run.path / "samples").mkdir(exist_ok=True)
    save_png(grid(shown), run.path / "samples" / f"{state.counters.step:08d}.png")


def _facts(settings: Any, name: str, event: Sequence[int], data_sha256: str) -> dict[str, Any]:
    return {
        "recipe": name,
        "settings": settings,
        "event": list(event),
        "data_sha256": data_sha256,
        "engine": "eager",
        "threads": torch.get_num_threads(),
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in VERSIONS},
    }


def _is_tensors(data: Any) -> bool:
    return isinstance(data, Tensor) or (isinstance(data, (tuple, list)) and isinstance(data[0], Tensor))
