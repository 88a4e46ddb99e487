"""Training a recipe, or a network of one's own, into a run."""

from __future__ import annotations

import logging
import platform
import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from energybased.conditions import describe
from energybased.data import AnyDomain, DataSet, DataSpec, Reals, as_dataset
from energybased.data.pictures import grid, save_png
from energybased.errors import UserError, require
from energybased.models import Sampler
from energybased.objectives import Objective
from energybased.recipes import CustomRecipe, Recipe, read_recipe
from energybased.runs.data import keep_data, run_data, without_rows
from energybased.settings import to_json
from energybased.training import Loop, Phase, Run, Settings, TrainState, checkpoint
from energybased.training.batches import as_batches
from energybased.training.state import preserved_rng

VERSIONS = ("energybased", "torch", "numpy")
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
) -> Run:
    """Trains, and returns the run; `Run.outcome` says how it ended.

    Either a recipe, on the data that it names or on `data`; or a network of one's own: `energy`, `data`, and
    `objective` with `steps`, or `phases`. A tenth of arrays and frames becomes the validation split, and a tenth the
    test split.

    Args:
        recipe: a recipe with its settings.
        out: the run's folder; `runs/<recipe>` if not given.
        overwrite: replace a run that is there.
        data: a `DataSet`, an array or tensor, a pair (x, y), a frame, a path, a torch `Dataset`, a `DataLoader`, or
            a function that draws n examples; the last three for a network of one's own.
        label: the column of a frame that holds labels.
        domain: what the values of the data are, `data.Pixels()` or `data.Reals()`; inferred if not given. A network of
            one's own sees real numbers in their own units.
        energy: any `nn.Module` that maps x `(batch, *event)`, or x and y, to `(batch,)`. If it takes no y, conditions
            of the data are left out.
        sampler: how a model of one's own network is sampled.
        settings: seed, batch size, optimiser and the like, beside a network of one's own.

    Raises:
        UserError: if a setting, the data or the folder cannot be used, or something could not be loaded again.
        Interrupted: after Ctrl-C, with a checkpoint written.
    """
    with preserved_rng():
        if recipe is not None:
            require(isinstance(recipe, Recipe), f"recipe is one of energybased.recipes, got {recipe!r}")
            own = (energy, objective, sampler, settings) == (None,) * 4 and not phases
            require(own, "give a recipe, or a network of your own with its objective; not both")
            recipe = recipe if steps is None else replace(recipe, steps=steps)
            told = "label and domain go with data=...; for data that a recipe names, set its label"
            require(data is not None or (label, domain) == (None, None), told)
            named, dataset = data is None, _given(data, recipe.label or label, domain)
            dataset = recipe.load_data() if dataset is None else recipe.prepare(dataset)
            source: Any = dataset
        else:
            recipe = _custom(energy, objective, phases, sampler, steps, settings)
            named, source = False, data if data is not None or not phases else phases[0].data
            dataset, source = _own_data(source, label, domain, recipe)
            require(out is not None, "train needs out, the folder of the run, beside a network of your own")
        recipe_again(recipe)
        folder = Path(out) if out is not None else Path("runs") / recipe.recipe
        for note in dataset.notes:
            log.info("%s: %s", recipe.data or dataset.name, note)
        recipe = _resolved(recipe, dataset, source)
        loop = _loop(recipe, dataset, source)
        for note in recipe.notes:
            log.info("%s: %s", recipe.recipe, note)
        facts = _facts(recipe, dataset, loop, named)
        run = Run.create(folder, facts, overwrite)
        if not named and len(dataset.train):
            keep_data(run, dataset)
        return _fit(loop, dataset, run)


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
) -> Run:
    """Continues a run, to the bit as if it had not stopped; a finished run is returned unchanged.

    A run of a recipe needs its path alone; a network of one's own is given again, with what it was trained with. Data
    are given again if they came from a loader, or were too large to be kept in the run.

    Args:
        recipe: the recipe again, if its class cannot be found by its name.
    """
    run = Run.open(path)
    with preserved_rng():
        if recipe is None:
            recipe = recipe_of(run, energy)
        if (recipe.recipe, energy is None) == ("custom", False):
            recipe = _custom(energy, objective, phases, sampler, steps, settings)
        else:
            none = (objective, sampler, steps, settings) == (None,) * 4 and not phases
            require(none, f"{path} is a run of a recipe, which has its settings: pass the path alone")
        dataset, source = _resumed_data(run, recipe, data, phases)
        recipe = _resolved(recipe, dataset, source) if recipe.conditional is None else recipe
        loop = _loop(recipe, dataset, source)
        same = phase_hashes(loop.phases) == run.recipe["phase_data_sha256"]
        require(same, f"the data of the phases of {path} are not those the run began with")
        run.lock()
        try:
            loop.resume(run)
            return _fit(loop, dataset, run)
        finally:
            run.release()


def recipe_of(run: Run, energy: nn.Module | None = None) -> Recipe:
    """The recipe of a run.

    Args:
        energy: the network again, of a run that was trained on one of the user's own.
    """
    recipe = read_recipe(run.recipe["settings"])
    if energy is None:
        return recipe
    require(recipe.recipe == "custom", f"{run.path} is a run of a recipe, which has its own network")
    return replace(recipe, energy=energy)  # type: ignore[call-arg]


def _custom(
    energy: Any, objective: Any, phases: Sequence[Phase], sampler: Any, steps: int | None, settings: Settings | None
) -> CustomRecipe:
    enough = energy is not None and (bool(phases) or (objective is not None and steps is not None))
    require(enough, "train needs a recipe, or energy, data, out, and objective with steps, or phases")
    require(isinstance(energy, nn.Module), f"energy is an nn.Module, got {type(energy).__name__}")
    shared: dict[str, Any] = {name: getattr(settings or Settings(), name) for name in Settings.__dataclass_fields__}
    some: dict[str, Any] = {} if steps is None else {"steps": steps}
    return CustomRecipe(
        **shared, data="", energy=energy, objective=objective, sampler=sampler, stages=tuple(phases), **some
    )


def _resolved(recipe: Recipe, data: DataSet, source: Any) -> Recipe:
    """The recipe with all settings filled in; only those batches that are made here can leave conditions out."""
    recipe = recipe.resolve(data)
    fits = bool(recipe.conditional) or not data.conditions or isinstance(source, DataSet)
    require(fits, f"{recipe.recipe} takes no conditions: give batches of x alone")
    return recipe


def _given(data: Any, label: str | None, domain: AnyDomain | None) -> DataSet | None:
    """The data set of what was given; None if nothing was."""
    if data is None:
        return None
    found = as_dataset(data, domain=domain, label=label)
    told = "a recipe takes a DataSet, an array or tensor, a pair (x, y), a frame or a path"
    require(found is not None, f"{told}; got {type(data).__name__}")
    return found


def _own_data(data: Any, label: str | None, domain: AnyDomain | None, recipe: Recipe) -> tuple[DataSet, Any]:
    """A data set for a network of one's own, which sees its units, and what batches come from."""
    require(data is not None, "train needs data")
    found = as_dataset(data, domain=domain, label=label)
    if found is not None:
        if isinstance(found.domain, Reals) and domain is None and not isinstance(data, DataSet):
            found = replace(found, domain=replace(found.domain, mean=(), scale=()))
        return found, found
    batch = as_batches(data, recipe.batch_size, recipe.seed, domain).next()
    spec = DataSpec(tuple(batch.x.shape[1:]), batch.domain, describe(batch.y), type(data).__name__)
    return without_rows(spec, batch.x), data


def _resumed_data(run: Run, recipe: Recipe, data: Any, phases: Sequence[Phase]) -> tuple[DataSet, Any]:
    if run.recipe["data"] != "batches":
        dataset = run_data(run, recipe, data)
        return (dataset, dataset) if data is None or recipe.recipe != "custom" else _own_data(data, None, None, recipe)
    source = data if data is not None or not phases else phases[0].data
    require(source is not None, f"the data of {run.path} came batch by batch: give them again, with data=...")
    return _own_data(source, None, None, recipe)


def _in_own_units(phase: Phase, domain: AnyDomain) -> Phase:
    """The phase with its arrays in the units of the run: arrays alone would be standardised by their own moments."""
    found = None if isinstance(phase.data, DataSet) else as_dataset(phase.data, domain=domain)
    if found is None:
        return phase
    told = f"the data of a phase are {type(found.domain).__name__}, those of the run {type(domain).__name__}"
    require(type(found.domain) is type(domain), told)
    return replace(phase, data=replace(found, domain=domain))


def _loop(recipe: Recipe, dataset: DataSet, source: Any) -> Loop:
    phases = recipe.phases(dataset)
    return Loop(
        recipe.parts(dataset),
        [_in_own_units(phase, dataset.domain) for phase in phases],
        source,
        recipe,
        dataset.domain,
        bool(recipe.conditional),
    )


def _fit(loop: Loop, data: DataSet, run: Run) -> Run:
    try:
        loop.fit(run, lambda state: _picture(state, data, run))
    except UserError:
        if checkpoint.newest(run.path / "checkpoints") is None:  # nothing to go on from: the name stays free
            shutil.rmtree(run.path, ignore_errors=True)
        raise
    finally:
        run.release()
    return run


def _picture(state: TrainState, data: DataSet, run: Run) -> None:
    """Shows some chains of the replay buffer."""
    chains = state.objective.get("x")
    if chains is None or tuple(chains.shape[1:]) != data.event or data.domain.view(data.event) != "pictures":
        return
    shown = chains[:SHOWN].float() / 256 if chains.dtype == torch.uint8 else chains[:SHOWN]
    try:
        (run.path / "samples").mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {run.path / 'samples'}: {error.strerror}") from error
    save_png(grid(shown), run.path / "samples" / f"{state.counters.step:08d}.png")


def phase_hashes(phases: Sequence[Phase]) -> list[str]:
    """Hashes of the data that phases have of their own, as far as they are data sets."""
    own = [as_dataset(phase.data) for phase in phases]
    return [data.sha256() for data in own if data is not None]


def recipe_again(recipe: Recipe) -> Any:
    """The settings of a recipe as JSON; raises `UserError` if they could not be read again as they are."""
    settings = recipe.settings()
    same = read_recipe(settings).settings() == settings
    require(same, f"the settings of {recipe.recipe} could not be read again as they are")
    return settings


Source = Literal["named", "given", "batches"]


def _facts(recipe: Recipe, data: DataSet, loop: Loop, named: bool) -> dict[str, Any]:
    """The contents of recipe.json; settings that could not be read again are refused here."""
    settings = recipe_again(recipe)
    source: Source = "named" if named else "given" if len(data.train) else "batches"
    return {
        "recipe": recipe.recipe,
        "settings": settings,
        "spec": to_json(data.spec),
        "data": source,
        "data_sha256": data.sha256(),
        "phase_data_sha256": phase_hashes(loop.phases),
        "phases": len(loop.phases),
        "threads": torch.get_num_threads(),
        "device": str(loop.device),
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in VERSIONS},
    }
