"""Checkpoints: a folder of safetensors and one JSON, written completely or not at all; loading executes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from energybased.errors import UserError, require
from energybased.processes import ALONE, Processes
from energybased.training.guard import Held, Ring
from energybased.training.shard import Group
from energybased.training.state import GROUPS, Snapshot, join, split_parts

FORMAT_VERSION = 3


def write_checkpoint(
    folder: Path, snapshot: Snapshot, ring: Ring, recipe: str, shards: int = 1, processes: Processes = ALONE
) -> None:
    """Writes a temporary folder beside `folder`, then renames it; after a crash the old checkpoints are intact.

    Every process writes the files of its own shards, the first one all others. The processes must share a file system.

    Args:
        folder: `checkpoints/<step>`.
        snapshot: of the training.
        ring: the guard's snapshots.
        recipe: identity of the recipe, checked on reading.
        shards: number of shards of all processes.
        processes: the processes of the training.
    """
    scratch = folder.with_name(f".{folder.name}.new")
    aside = folder.with_name(f".{folder.name}.old")
    past = [held.snapshot for held in ring.held]

    def prepare() -> None:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        for group in GROUPS:
            _save(scratch / f"{group}.safetensors", snapshot[group])
        rings = {
            f"{i}/{group}/{name}": value
            for i, held in enumerate(past)
            for group in GROUPS
            for name, value in held[group].items()
        }
        _save(scratch / "ring.safetensors", rings)

    def write_shards() -> None:
        for number, now in snapshot["shards"].items():
            kept = {"now": now, **{f"ring{i}": held["shards"][number] for i, held in enumerate(past)}}
            _save(scratch / shard_file(number), join(kept))

    def finish() -> None:
        state = {
            "format_version": FORMAT_VERSION,
            "recipe": recipe,
            "shards": shards,
            "counters": snapshot["counters"],
            "ring": [{"step": held.step, "counters": held.snapshot["counters"]} for held in ring.held],
            "sha256": {file.name: sha256(file) for file in sorted(scratch.glob("*.safetensors"))},
        }
        state["sha256"]["state.json"] = _digest(state)
        _write(scratch / "state.json", json.dumps(state, indent=1))
        if folder.exists():  # set aside, not deleted, until the new one stands
            os.replace(folder, aside)
        os.replace(scratch, folder)

    try:
        processes.once(lambda: _writing(folder, prepare))
        processes.all(lambda: _writing(folder, write_shards))
        processes.once(lambda: _writing(folder, finish))
    finally:
        if processes.first:
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.rmtree(aside, ignore_errors=True)


def _writing(folder: Path, function: Callable[[], None]) -> None:
    try:
        function()
    except OSError as error:
        raise UserError(f"cannot write the checkpoint {folder}: {error.strerror or error}") from error


def read_state(folder: Path, recipe: str | None = None) -> dict[str, Any]:
    """`state.json`, after checking its version, its recipe, and that every file is as it was written."""
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text())
        version, sums, written = state["format_version"], dict(state["sha256"]), _digest(state)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"the checkpoint {folder} has no readable state.json") from error
    require(
        version == FORMAT_VERSION,
        f"the checkpoint {folder} has format_version {version}; this version of energybased reads {FORMAT_VERSION}",
    )
    require(
        recipe is None or state["recipe"] == recipe,
        f"the checkpoint {folder} belongs to another recipe than the run's recipe.json",
    )
    edited = f"{folder / 'state.json'} is not as it was written (cut short or edited)"
    require(sums.pop("state.json", None) == written, edited)
    for name, expected in sums.items():
        file = folder / name
        require(file.is_file(), f"the checkpoint {folder} lacks {name}")
        require(sha256(file) == expected, f"{file} is not as it was written (cut short or edited)")
    return state


def read_checkpoint(folder: Path, recipe: str, numbers: Iterable[int]) -> tuple[Snapshot, Ring]:
    """The snapshot and the guard's ring that `write_checkpoint` wrote, with the shards of these numbers."""
    state = read_state(folder, recipe)
    snapshot: Snapshot = {**{group: load_group(folder, group) for group in GROUPS}, "shards": {}}
    rings = split_parts(load_group(folder, "ring"))
    held: list[Held] = []
    for i, entry in enumerate(state["ring"]):
        groups = split_parts(rings.get(str(i), {}))
        past = {**{group: groups.get(group, {}) for group in GROUPS}, "shards": {}, "counters": entry["counters"]}
        held.append(Held(entry["step"], past))
    for number in numbers:
        require(number < state["shards"], f"the checkpoint {folder} has {state['shards']} shards, not {number + 1}")
        kept = split_parts(load_group(folder, shard_file(number).removesuffix(".safetensors")))
        snapshot["shards"][number] = kept["now"]
        for i, past_one in enumerate(held):
            past_one.snapshot["shards"][number] = kept[f"ring{i}"]
    return {**snapshot, "counters": state["counters"]}, Ring(held)


def objectives(folder: Path) -> list[Group]:
    """The state of the objective of each shard in a checkpoint, with its part of the replay buffer."""
    count = read_state(folder)["shards"]
    names = [shard_file(number).removesuffix(".safetensors") for number in range(count)]
    return [split_parts(split_parts(load_group(folder, name))["now"]).get("objective", {}) for name in names]


def shard_file(number: int) -> str:
    return f"shard-{number:05d}.safetensors"


def _digest(state: dict[str, Any]) -> str:
    """A hash of `state.json` itself, less that hash."""
    sums = {name: value for name, value in state["sha256"].items() if name != "state.json"}
    return hashlib.sha256(json.dumps({**state, "sha256": sums}, sort_keys=True).encode()).hexdigest()


def load_group(folder: Path, group: str) -> dict[str, Tensor]:
    """One file of tensors of a checkpoint."""
    try:
        return load_file(folder / f"{group}.safetensors")
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / group}.safetensors cannot be read: {error}") from error


def whole(folder: Path) -> list[Path]:
    """The complete checkpoints under `folder`."""
    return [path for path in folder.glob("[0-9]*") if (path / "state.json").is_file()]


def newest(folder: Path) -> Path | None:
    """The newest complete checkpoint under `folder`, by its zero-padded name."""
    return max(whole(folder), default=None)


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _save(file: Path, tensors: dict[str, Tensor]) -> None:
    try:
        save_file({name: value.contiguous() for name, value in tensors.items()}, file)
    except SafetensorError as error:
        raise OSError(None, str(error)) from error
    _sync(file)


def _write(file: Path, text: str) -> None:
    file.write_text(text)
    _sync(file)


def _sync(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
