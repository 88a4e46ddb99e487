"""A run: the folder that a training writes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from energybased.errors import UserError, require
from energybased.training import checkpoint

Json = dict[str, Any]


FORMAT_VERSION = 2
HISTORY = "history"


def identity(facts: Json) -> str:
    """A hash of everything in `recipe.json` but the hash itself; a checkpoint of another one is refused."""
    chosen = {name: value for name, value in facts.items() if name != "identity"}
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


class Run:
    """The files of one run. Writing needs the operating system's lock, which is released when the process ends."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = FileLock(self.path / ".lock")

    @staticmethod
    def create(path: Path | str, facts: Json, overwrite: bool = False) -> Run:
        """A new folder, locked, with the facts in its `recipe.json`.

        Raises:
            UserError: if there is something at `path` already, or nothing can be written there.
        """
        run = Run(path)
        if overwrite and run.path.exists():
            require((run.path / "recipe.json").is_file(), f"{run.path} exists and is not a run")
            run.lock()
            run.release()
            shutil.rmtree(run.path)
        try:
            run.path.mkdir(parents=True)
        except FileExistsError:
            advice = f"choose another name, or go on with it by ebm train --resume {run.path}"
            raise UserError(f"{run.path} exists already: {advice}") from None
        except OSError as error:
            raise UserError(f"cannot write the run {run.path}: {error.strerror}") from error
        try:
            (run.path / "checkpoints").mkdir()
            run.lock()
            facts = {"format_version": FORMAT_VERSION, **facts}
            run.write_json("recipe.json", {**facts, "identity": identity(facts)})
        except (OSError, UserError) as error:
            run.release()
            shutil.rmtree(run.path, ignore_errors=True)
            raise UserError(f"cannot write the run {run.path}: {error}") from error
        return run

    @staticmethod
    def open(path: Path | str) -> Run:
        """An existing run."""
        run = Run(path)
        require(run.path.is_dir(), f"there is no run at {run.path}")
        require((run.path / "recipe.json").is_file(), f"{run.path} is not a run: it has no recipe.json")
        return run

    def lock(self) -> None:
        """Takes the operating system's lock; raises `UserError` if another process has it."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UserError(f"{self.path} is in use by another process") from None
        except OSError as error:
            raise UserError(f"cannot lock the run {self.path}: {error.strerror}") from error

    def clean(self) -> None:
        """Removes what a killed process left behind; for a run that is locked."""
        for scratch in (self.path / "checkpoints").glob(".*"):
            shutil.rmtree(scratch, ignore_errors=True)

    def release(self) -> None:
        """Releases the lock."""
        self._lock.release(force=True)

    @property
    def outcome(self) -> str:
        """How training ended: "finished", "stopped by the guard: REASON", or "unfinished"."""
        counters = checkpoint.read_state(self.newest_checkpoint(), self.recipe["identity"])["counters"]
        if counters["stopped"] is not None:
            return f"stopped by the guard: {counters['stopped']}"
        return "finished" if counters["phase"] >= self.recipe.get("phases", 1) else "unfinished"

    @property
    def recipe(self) -> Json:
        """The contents of recipe.json, after checking that they are as they were written."""
        facts, file = self.read_json("recipe.json"), self.path / "recipe.json"
        require(isinstance(facts, dict) and "identity" in facts, f"{file} does not describe a run")
        version = facts.get("format_version")
        require(
            version == FORMAT_VERSION,
            f"{file} has format_version {version}, this version of energybased reads {FORMAT_VERSION}: use the version "
            "that wrote it, or train again",
        )
        require(facts["identity"] == identity(facts), f"{file} is not as it was written")
        return facts

    def checkpoint(self, step: int | None = None) -> Path:
        """The folder of the complete checkpoint of this step; the newest if not given."""
        if step is None:
            return self.newest_checkpoint()
        there = {int(folder.name): folder for folder in checkpoint.whole(self.path / "checkpoints")}
        if step not in there:
            known = ", ".join(map(str, sorted(there)))
            raise UserError(f"{self.path} has no checkpoint of step {step}, only of {known or 'none'}")
        return there[step]

    def newest_checkpoint(self) -> Path:
        """The folder of the last complete checkpoint.

        Raises:
            UserError: if there is none.
        """
        found = checkpoint.newest(self.path / "checkpoints")
        if found is None:
            raise UserError(f"{self.path} has no checkpoint yet")
        return found

    def keep_weights(self, mark: int, weights: dict[str, Tensor]) -> None:
        """Writes weights by name, each `(out, ...)`, as history/<mark>.safetensors, completely or not at all."""
        file = self.path / HISTORY / f"{mark:03d}.safetensors"
        scratch = file.with_suffix(".new")
        try:
            file.parent.mkdir(exist_ok=True)
            save_file({name: value.contiguous() for name, value in weights.items()}, scratch)
            os.replace(scratch, file)
        except (OSError, SafetensorError) as error:
            raise UserError(f"cannot write {file}: {error}") from error

    def history(self) -> list[dict[str, Tensor]]:
        """The weights that were kept, by name, each `(out, ...)`, the oldest first.

        Raises:
            UserError: if a file cannot be read.
        """
        found = []
        for file in sorted((self.path / HISTORY).glob("*.safetensors")):
            try:
                found.append(load_file(file))
            except (OSError, SafetensorError) as error:
                raise UserError(f"{file} cannot be read: it was cut short, or holds no weights") from error
        return found

    def drop_checkpoints_after(self, step: int) -> None:
        """Removes the checkpoints after a step that the guard restored."""
        for folder in (self.path / "checkpoints").glob("[0-9]*"):
            if int(folder.name) > step:
                doomed = folder.rename(folder.with_name(f".{folder.name}.old"))  # half of one must not look whole
                shutil.rmtree(doomed)

    def read_json(self, name: str) -> Json:
        """The contents of a JSON file of the run.

        Raises:
            UserError: if it cannot be read.
        """
        try:
            value: Json = json.loads((self.path / name).read_text())
        except (OSError, ValueError) as error:
            raise UserError(f"{self.path / name} cannot be read: {error}") from error
        return value

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file completely or not at all."""
        self.write_text(name, json.dumps(value, indent=1) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Writes a file completely or not at all."""
        scratch = self.path / f".{name}.{os.getpid()}"
        try:
            scratch.write_text(text)
            os.replace(scratch, self.path / name)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise UserError(f"cannot write {self.path / name}: {error.strerror}") from error

    def append(self, name: str, line: Json) -> None:
        """Adds one line to a `.jsonl` file."""
        try:
            with (self.path / name).open("a") as stream:
                stream.write(json.dumps(line) + "\n")
        except OSError as error:
            raise UserError(f"cannot write {self.path / name}: {error.strerror}") from error

    def lines(self, name: str) -> list[Json]:
        """The lines of a `.jsonl` file; a last line that was cut short is left out."""
        file = self.path / name
        if not file.is_file():
            return []
        parsed = []
        for line in file.read_text(errors="replace").splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                break
            require(isinstance(value, dict) and "seconds" in value, f"{file} holds a line that is not a log's")
            parsed.append(value)
        return parsed

    def forget_after(self, seconds: float) -> None:
        """Removes the lines of the logs after the checkpoint from which training continues."""
        for name in ("metrics.jsonl", "events.jsonl"):
            kept = [line for line in self.lines(name) if line["seconds"] <= seconds]
            if (self.path / name).is_file():
                self.write_text(name, "".join(json.dumps(line) + "\n" for line in kept))
