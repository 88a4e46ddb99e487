"""Training of a recipe, or of a network of the user, into a run."""

from __future__ import annotations

import copy
import logging
import platform
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from energybased.data import AnyDomain, DataSet
from energybased.data.pictures import grid, save_png
from energybased.errors import UserError, require
from energybased.models import Sampler
from energybased.objectives import Objective
from energybased.processes import Lost, Processes, launch
from energybased.recipes import CustomRecipe, Recipe, read_recipe
from energybased.runs.data import given_data, in_units_of_run, own_data, phase_hashes, resumed_data, store_data
from energybased.runs.fitted import read_fitted, store_fitted
from energybased.runs.initial import InitialWeights
from energybased.runs.load import model_of, recipe_of, run_of
from energybased.settings import to_json
from energybased.training import Loop, Phase, Run, Settings, TrainState, checkpoint
from energybased.training.rng import preserved_rng
from energybased.version import __version__

# What all processes must have in common.
AGREED = ("settings", "data_sha256", "phase_data_sha256", "init_from", "versions")
SHOWN = 64  # chains in the picture beside a checkpoint

log = logging.getLogger("energybased")


def train(
    recipe: Recipe | None = None,
    *,
    out: Path | str | None = None,
    overwrite: bool = False,
    data: Any = None,
    label: str | None = None,
    domain: AnyDomain | None = None,
    energy: nn.Module | None = None,
    objective: Objective | None = None,
    phases: Sequence[Phase] = (),
    sampler: Sampler | None = None,
    steps: int | None = None,
    settings: Settings | None = None,
    init_from: Path | str | None = None,
    devices: int = 1,
    nodes: int = 1,
) -> Run:
    """Trains a model and returns the run. `Run.outcome` says how training ended.

    Pass either a recipe, which trains on `data` or on the data that it names; or a network of your own as `energy`,
    with `data`, and with `objective` and `steps` or with `phases`. A tenth of an array or data frame becomes the
    validation split, and a tenth the test split.

    Args:
        recipe: a recipe with its settings.
        out: folder of the run; `runs/<recipe>` if not given.
        overwrite: replace an existing run.
        data: a `DataSet`, an array or tensor, a pair (x, y), a data frame or a path. For a network of your own, also a
            torch `Dataset`, a `DataLoader`, or a function that draws n examples.
        label: the column of a data frame that holds the labels.
        domain: domain of the values, `data.Pixels()` or `data.Reals()`; inferred if not given. For a network of your
            own, real numbers are not standardised.
        energy: any `nn.Module` that maps x `(batch, *event)`, or x and y, to `(batch,)`. If it takes no y, conditions
            of the data are left out.
        objective: the objective of the only phase.
        phases: phases to train one after another, instead of `objective` and `steps`.
        sampler: settings by which the model of your network is sampled.
        steps: number of updates.
        settings: seed, batch size, optimiser and other settings of the training of your network.
        init_from: a run, an exported file, or the name of a model that comes with this package. Training begins at its
            averaged weights and buffers, in all parts whose names it has; other parts begin as always, and so do the
            optimiser, its learning rate and chains. The run tells what it began from, and does not need it again.
        devices: number of processes on each machine. Each has a GPU of its own, or its share of the processor's cores.
            The other processes run the same script.
        nodes: number of machines, on each of which the same script is started; see docs/speed.md.

    Raises:
        UserError: if a setting, the data or the folder cannot be used, the run could not be loaded again, or weights of
            `init_from` do not fit.
        Interrupted: after Ctrl-C, once a checkpoint is written.
    """
    with preserved_rng():
        initial = None if init_from is None else InitialWeights.read(init_from)
        if recipe is not None:
            require(isinstance(recipe, Recipe), f"recipe must be one of energybased.recipes, got {recipe!r}")
            alone = (energy, objective, sampler, settings) == (None,) * 4 and not phases
            require(alone, "pass a recipe, or a network of your own with its objective, but not both")
            recipe = recipe if steps is None else replace(recipe, steps=steps)
            misplaced = "label and domain need data=...; for data that a recipe names, set the label of the recipe"
            require(data is not None or (label, domain) == (None, None), misplaced)
            named = data is None
            dataset = recipe.load_data() if named else recipe.prepare(given_data(data, recipe.label or label, domain))
            source: Any = dataset
        else:
            recipe = _custom(energy, objective, phases, sampler, steps, settings)
            named, source = False, data if data is not None or not phases else phases[0].data
            dataset, source = own_data(source, label, domain, recipe)
            require(out is not None, "a network of your own needs out=..., the folder of the run")
        readable_settings(recipe)
        folder = Path(out) if out is not None else Path("runs") / recipe.recipe
        for note in dataset.notes:
            log.info("%s: %s", recipe.data or dataset.name, note)
        processes = launch(devices, nodes, recipe.device)
        recipe = _sharded(recipe.resolve(dataset), processes)
        loop = _loop(recipe, dataset, source, processes, initial)
        for note in recipe.notes:
            log.info("%s: %s", recipe.recipe, note)
        facts = _facts(recipe, dataset, loop, named, initial)
        processes.agree({**{name: facts[name] for name in AGREED}, "folder": str(folder)})
        run = Run(folder)

        def create() -> None:
            nonlocal run
            run = Run.create(folder, facts, overwrite)
            if not named and len(dataset.train):
                store_data(run, dataset)

        processes.once(create)
        return _fit(loop, recipe, dataset, run)


def resume(
    path: Path | str,
    *,
    data: Any = None,
    energy: nn.Module | None = None,
    objective: Objective | None = None,
    phases: Sequence[Phase] = (),
    sampler: Sampler | None = None,
    steps: int | None = None,
    settings: Settings | None = None,
    recipe: Recipe | None = None,
    devices: int = 1,
    nodes: int = 1,
) -> Run:
    """Continues a run. The result is bit-identical to that of an uninterrupted run. A finished run stays unchanged.

    A run of a recipe needs only its path. For a network of your own, pass the arguments of `train` again. Pass data
    again if they came from a loader, or were too large to be stored in the run.

    Args:
        path: folder of the run.
        data: the data, if the run does not store them.
        energy: the network of your own.
        objective: its objective.
        phases: its phases.
        sampler: its sampler.
        steps: its number of updates.
        settings: its settings.
        recipe: the recipe, if its class cannot be found by its name.
        devices: number of processes on each machine, which may differ from that with which the run began.
        nodes: number of machines.
    """
    run = run_of(path)
    with preserved_rng():
        if recipe is None:
            recipe = recipe_of(run, energy)
        if (recipe.recipe, energy is None) == ("custom", False):
            recipe = _custom(energy, objective, phases, sampler, steps, settings)
        else:
            alone = (objective, sampler, steps, settings) == (None,) * 4 and not phases
            require(alone, f"{path} is a run of a recipe, which stores its settings: pass the path alone")
        dataset, source = resumed_data(run, recipe, data, phases)
        recipe = recipe.resolve(dataset) if recipe.conditional is None else recipe
        processes = launch(devices, nodes, recipe.device)
        loop = _loop(recipe, dataset, source, processes)
        same = phase_hashes(loop.phases) == run.recipe["phase_data_sha256"]
        require(same, f"the data of the phases of {path} are not those the run began with")
        processes.agree({"folder": str(path), "identity": run.recipe["identity"]})
        processes.once(run.lock)
        try:
            loop.resume(run)
            return _fit(loop, recipe, dataset, run)
        finally:
            run.release()


def _custom(
    energy: Any, objective: Any, phases: Sequence[Phase], sampler: Any, steps: int | None, settings: Settings | None
) -> CustomRecipe:
    enough = energy is not None and (bool(phases) or (objective is not None and steps is not None))
    require(enough, "train needs either a recipe, or energy, data and out with objective and steps, or with phases")
    require(isinstance(energy, nn.Module), f"energy must be an nn.Module, got {type(energy).__name__}")
    shared: dict[str, Any] = {name: getattr(settings or Settings(), name) for name in Settings.__dataclass_fields__}
    budget: dict[str, Any] = {} if steps is None else {"steps": steps}
    return CustomRecipe(
        **shared, data="", energy=energy, objective=objective, sampler=sampler, stages=tuple(phases), **budget
    )


def _sharded(recipe: Recipe, processes: Processes) -> Recipe:
    """The recipe with its number of shards, one for each process if it has none."""
    shards = recipe.shards or processes.count

    def check() -> None:
        processes.share(shards)
        replace(recipe, shards=shards)

    processes.once(check)
    return replace(recipe, shards=shards)


def _loop(
    recipe: Recipe, dataset: DataSet, source: Any, processes: Processes, initial: InitialWeights | None = None
) -> Loop:
    phases = [in_units_of_run(phase, dataset.domain) for phase in recipe.phases(dataset)]
    conditional, parts = bool(recipe.conditional), recipe.parts(dataset)
    if initial is not None:  # before the loop copies them: into the averages, and into its first checkpoint
        initial.load(parts)
        recipe.begun(parts)
        anew = [name for name in parts if name not in initial.shared(parts)]
        rest = f"; parts that it lacks, and begin anew: {', '.join(anew)}" if anew else ""
        log.info("%s begins at the weights of %s%s", recipe.recipe, initial.model, rest)
    return Loop(parts, phases, source, recipe, dataset.domain, conditional, processes)


def _fit(loop: Loop, recipe: Recipe, data: DataSet, run: Run) -> Run:
    try:
        loop.fit(run, lambda state: _picture(state, data, run))
        loop.processes.once(lambda: _finish(run, recipe, data, loop.device))
    except Lost as error:
        last = checkpoint.newest(run.path / "checkpoints")
        advice = "" if last is None else f"; ebm train --resume {run.path} goes on from step {int(last.name)}"
        raise UserError(f"{error}{advice}") from error
    except UserError:
        if loop.processes.first and checkpoint.newest(run.path / "checkpoints") is None:  # it cannot be resumed
            shutil.rmtree(run.path, ignore_errors=True)
        raise
    finally:
        run.release()
    return run


def _finish(run: Run, recipe: Recipe, data: DataSet, device: torch.device) -> None:
    """Fits to the data what the recipe fits when training has ended, unless the run has it already."""
    folder = run.newest_checkpoint()
    weights = checkpoint.sha256(folder / "ema.safetensors")
    if read_fitted(run, weights) is not None:
        return
    model: Any = model_of(copy.deepcopy(recipe), data.spec, checkpoint.load_group(folder, "ema"), str(folder))
    fitted = recipe.fitted(model if device.type == "cpu" else model.to(device), data)
    if fitted is not None:
        store_fitted(run, weights, fitted)


def _picture(state: TrainState, data: DataSet, run: Run) -> None:
    """Saves a picture of some chains of the replay buffer."""
    chains = state.shards[0].objective.get("x")
    if chains is None or tuple(chains.shape[1:]) != data.event or data.domain.view(data.event) != "pictures":
        return
    shown = chains[:SHOWN].float() / 256 if chains.dtype == torch.uint8 else chains[:SHOWN]
    try:
        (run.path / "samples").mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {run.path / 'samples'}: {error.strerror}") from error
    save_png(grid(shown), run.path / "samples" / f"{state.counters.step:08d}.png")


def readable_settings(recipe: Recipe) -> Any:
    """The settings of a recipe as JSON. Raises `UserError` if reading them would give other settings."""
    settings = recipe.settings()
    same = read_recipe(settings).settings() == settings
    require(same, f"the settings of {recipe.recipe} cannot be stored: reading them would give other settings")
    return settings


def _facts(recipe: Recipe, data: DataSet, loop: Loop, named: bool, initial: InitialWeights | None) -> dict[str, Any]:
    """The contents of recipe.json."""
    settings = readable_settings(recipe)
    return {
        "recipe": recipe.recipe,
        "settings": settings,
        "spec": to_json(data.spec),
        "data": "named" if named else "given" if len(data.train) else "batches",
        "data_sha256": data.sha256(),
        "phase_data_sha256": phase_hashes(loop.phases),
        "init_from": None if initial is None else initial.facts(loop.state.parts),
        "phases": len(loop.phases),
        "threads": torch.get_num_threads(),
        "device": str(loop.device),
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
        "versions": {"energybased": __version__, "torch": str(torch.__version__), "numpy": np.__version__},
    }
