"""The data of a run. Its settings name them, or its folder stores them if they were passed in Python."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from energybased.conditions import describe, joined, tensors
from energybased.data import AnyDomain, DataSet, DataSpec, Reals, Split, as_dataset
from energybased.errors import UserError, require
from energybased.models.file import read_spec
from energybased.recipes import Recipe
from energybased.settings import from_json, to_json
from energybased.training import Phase, Run
from energybased.training.batches import as_batches

FILE, LARGEST = "data.safetensors", 1 << 28  # most bytes of data passed in Python that a run stores
SPLITS = ("train", "validation", "test")


def run_data(run: Run, recipe: Recipe, given: Any = None) -> DataSet:
    """The data of a run, after a comparison of their hash with that of the data at its start.

    Args:
        run: the run.
        recipe: its recipe.
        given: the data, if the run does not store them.

    Raises:
        UserError: if the data are missing, or differ.
    """
    file = run.path / FILE
    if given is not None:
        domain = read_spec(run.recipe["spec"], str(run.path)).domain  # as the run began; arrays alone may not tell it
        found = as_dataset(given, domain=domain, label=recipe.label)
        accepted = "a DataSet, an array, a pair (x, y), a data frame or a path"
        if found is None:
            raise UserError(f"data must be what the run began with: {accepted}")
        data = recipe.prepare(replace(found, domain=domain))
    elif file.is_file():
        data = recipe.prepare(read_data(file))
    else:
        named = run.recipe["data"] == "named"
        require(named, f"the data of {run.path} were given in Python: give them again, as data=...")
        data = recipe.load_data()
    same = data.sha256() == run.recipe["data_sha256"]
    require(same, f"the data {recipe.data or data.name!r} are not those the run began with")
    return data


def store_data(run: Run, data: DataSet) -> None:
    """Writes data that were passed in Python into the folder of the run, if they are not too large."""
    arrays = [t for split in data.splits for t in (split.x, *tensors(split.y))]
    if sum(t.numel() * t.element_size() for t in arrays) <= LARGEST:
        write_data(run.path / FILE, data)


def write_data(file: Path, data: DataSet) -> None:
    """Writes a data set into one safetensors file."""
    arrays: dict[str, Tensor] = {}
    for name, split in zip(SPLITS, data.splits, strict=True):
        taken = split.take()
        arrays |= {f"{name}/x": taken.x, **{f"{name}/y{i}": t for i, t in enumerate(tensors(taken.y))}}
    try:
        save_file(
            {name: value.contiguous() for name, value in arrays.items()},
            file,
            metadata={"spec": json.dumps(to_json(data.spec)), "notes": json.dumps(data.notes)},
        )
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot write the data into {file}: {error}") from error


def read_data(file: Path) -> DataSet:
    """Reads a data set that `write_data` wrote."""
    try:
        with safe_open(file, framework="pt") as stored:
            header = stored.metadata() or {}
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        spec, notes = from_json(DataSpec, json.loads(header["spec"])), tuple(json.loads(header["notes"]))
        splits = []
        for name in SPLITS:
            y = joined([arrays[key] for key in sorted(arrays) if key.startswith(f"{name}/y")])
            splits.append(Split(arrays[f"{name}/x"], y))
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise UserError(f"{file} does not hold the data of a run: {error}") from error
    train, validation, test = splits
    return DataSet(spec.name, train, validation, test, spec.domain, spec.conditions, notes)


def given_data(data: Any, label: str | None, domain: AnyDomain | None) -> DataSet:
    """The data for a recipe, which were passed in Python, as a data set."""
    found = as_dataset(data, domain=domain, label=label)
    accepted = "a recipe takes a DataSet, an array or tensor, a pair (x, y), a data frame or a path"
    if found is None:
        raise UserError(f"{accepted}; got {type(data).__name__}")
    return found


def own_data(data: Any, label: str | None, domain: AnyDomain | None, recipe: Recipe) -> tuple[DataSet, Any]:
    """The data set for a network of the user, in the user's units, and the source of its batches."""
    require(data is not None, "train needs data")
    found = as_dataset(data, domain=domain, label=label)
    if found is not None:
        if isinstance(found.domain, Reals) and domain is None and not isinstance(data, DataSet):
            found = replace(found, domain=replace(found.domain, mean=(), scale=()))
        return found, found
    batch = as_batches(data, recipe.batch_size, recipe.seed, domain).next()
    empty = Split(torch.empty((0, *batch.x.shape[1:]), dtype=batch.x.dtype))  # no split is held out
    return DataSet(type(data).__name__, empty, empty, empty, batch.domain, describe(batch.y)), data


def resumed_data(run: Run, recipe: Recipe, data: Any, phases: Sequence[Phase]) -> tuple[DataSet, Any]:
    """The data set with which a run goes on, and the source of its batches."""
    if run.recipe["data"] != "batches":
        dataset = run_data(run, recipe, data)
        return dataset, dataset
    source = data if data is not None or not phases else phases[0].data
    require(source is not None, f"the data of {run.path} came batch by batch: pass them again, as data=...")
    return own_data(source, None, None, recipe)


def in_units_of_run(phase: Phase, domain: AnyDomain) -> Phase:
    """The phase with its arrays in the units of the run, instead of standardised by their own moments."""
    found = None if isinstance(phase.data, DataSet) else as_dataset(phase.data, domain=domain)
    if found is None:
        return phase
    kinds = type(found.domain).__name__, type(domain).__name__
    require(kinds[0] == kinds[1], f"the data of a phase are {kinds[0]}, but those of the run are {kinds[1]}")
    return replace(phase, data=replace(found, domain=domain))


def phase_hashes(phases: Sequence[Phase]) -> list[str]:
    """Hashes of the data sets of phases that do not use the data of the run."""
    datasets = [as_dataset(phase.data) for phase in phases]
    return [data.sha256() for data in datasets if data is not None]
