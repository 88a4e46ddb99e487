"""Rows of results/*.json. A row has a value, its protocol, the hardware and the command that measured it.

The fields `data`, `system`, `metric` and those in `MORE` identify a row.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from energybased.recipes import RECIPES, Recipe, find_recipe
from energybased.recipes.noise_conditional import NoiseConditionalRecipe
from energybased.runs.load import recipe_of, run_of
from energybased.settings import differences
from energybased.training import Run

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
MORE = ("variant", "split", "score", "label", "stages", "kind", "guard", "precision", "engine", "varied")
MORE += ("at", "times", "case", "budget")
CHOSEN = ("guidance", "flow_levels", "noise", "score_by", "sampler")  # of a recipe over levels of noise: no weights
OF_MACHINE = ("data_root", "device", "shards")
Row = dict[str, Any]


class Rows(list[Row]):
    """The rows of one file."""

    @staticmethod
    def read(name: str) -> Rows:
        file = RESULTS / f"{name}.json"
        return Rows(json.loads(file.read_text()) if file.exists() else [])

    @staticmethod
    def files() -> list[str]:
        """The names of all files of rows."""
        return sorted(file.stem for file in RESULTS.glob("*.json"))

    def all(self, **fields: Any) -> Rows:
        """The rows whose fields have these values."""
        return Rows(r for r in self if all(r.get(name) == value for name, value in fields.items()))

    def one(self, **fields: Any) -> Row:
        """The only row whose fields have these values."""
        found = self.all(**fields)
        if len(found) != 1:
            raise LookupError(f"{len(found)} rows have {fields}")
        return found[0]

    def find(self, **fields: Any) -> Row | None:
        """The only row whose fields have these values, or None if there is none."""
        return self.one(**fields) if self.all(**fields) else None

    def by_system(self, metric: str) -> dict[str, Row]:
        return {r["system"]: r for r in self.all(metric=metric)}


class Measured:
    """Collects values of several seeds as rows, and writes them into one file. Other rows of the file are kept."""

    def __init__(self, name: str, seeds: Sequence[int] = (0,), command: str | None = None) -> None:
        typed = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
        self.name, self.seeds, self.command = name, list(seeds), command or typed
        self.found: dict[tuple[Any, ...], Row] = {}

    def add(
        self,
        value: float,
        protocol: str,
        seconds: float,
        more: Row | None = None,
        seed: int | None = None,
        **fields: Any,
    ) -> None:
        """Adds the value of one seed to the row with these fields. The items of `more` are added to the row.

        Without `seed`, the values of a row are those of the seeds in turn.
        """
        what = " ".join(f"{item}" for name, item in fields.items() if name != "data")  # for human readers only
        blank = {"what": what, "fields": fields, "values": [], "seeds": [], "seconds": 0.0}
        row = self.found.setdefault(identity(fields), blank)
        row |= {"protocol": protocol, "more": more or {}, "seconds": row["seconds"] + seconds}
        row["seeds"] += self.seeds[len(row["values"]) :][:1] if seed is None else [seed]
        row["values"].append(value)
        print(f"{self.name}: {what}: {value:.4f}", flush=True)

    def write(self, median: bool = False, join: bool = False) -> None:
        """Writes the rows. The value of a row is the mean over its seeds, or the median.

        Args:
            join: a row that was measured by the same protocol with other seeds gets those of this one in addition. A
                row that loses seeds instead is printed.
        """
        rows = Rows.read(self.name)
        for key, found in self.found.items():
            place = next((i for i, r in enumerate(rows) if identity(r) == key), len(rows))
            earlier = rows[place] if join and place < len(rows) else {}
            row = {"what": found["what"], **found["fields"], **self._statistics(found, median, earlier)}
            lost = sorted(set(earlier.get("seeds", ())) - set(row["seeds"]))
            if lost:
                why = "another protocol, or a seed again"
                print(f"{self.name}: {found['what']}: the values of seeds {lost} are replaced: {why}")
            rows[place : place + 1] = [row | found["more"]]
        (RESULTS / f"{self.name}.json").write_text(json.dumps(rows, indent=1, allow_nan=False) + "\n")

    def _statistics(self, found: Row, median: bool, earlier: Row) -> Row:
        """The values of the seeds as fields; those of an earlier row before them, if it has other seeds."""
        values, seeds = list(found["values"]), list(found["seeds"])
        commits, commands, seconds = [commit()], [self.command], found["seconds"]
        if earlier.get("protocol") == found["protocol"] and not set(earlier["seeds"]) & set(seeds):
            before = [math.nan if value is None else value for value in earlier["per_seed"]]
            values, seeds = before + values, earlier["seeds"] + seeds
            commits, commands = [earlier["commit"], *commits], [earlier["command"], *commands]
            seconds += earlier["seconds"]
        finite = all(map(math.isfinite, values))  # JSON has no infinity: it becomes null
        centre = statistics.median if median else statistics.fmean
        return {
            "value": round(centre(values), 4) if finite else None,
            "sd": round(statistics.stdev(values), 4) if len(values) > 1 and finite else None,
            "per_seed": [round(value, 4) if math.isfinite(value) else None for value in values],
            "protocol": found["protocol"],
            "command": "; ".join(dict.fromkeys(commands)),
            "commit": ", ".join(dict.fromkeys(commits)),
            "hardware": hardware(),
            "seconds": round(seconds, 1),
            "seeds": seeds,
        }


def identity(fields: Row) -> tuple[Any, ...]:
    return tuple(fields.get(name) for name in ("data", "system", "metric", *MORE))


def trained(run: Run) -> str:
    """The commands that train a run again, with that of the run at whose weights it began."""
    recipe, begun, source = run.recipe["recipe"], run.recipe.get("init_from"), beginning(run)
    settings = run.recipe["settings"]
    told = f"ebm train {recipe} --steps {settings['steps']} --seed {settings['seed']}"
    told = command(recipe_of(run)) if recipe in RECIPES else told
    first = f"{trained(source)} up to update {begun['step']}; " if begun and source else ""
    return first + told + (f" --from {shlex.quote(begun['model'])}" if begun else "")


def command(recipe: Recipe) -> str:
    """The command that trains with a recipe, without what is chosen after the training."""
    same = (*OF_MACHINE, *(CHOSEN if isinstance(recipe, NoiseConditionalRecipe) else ()), "steps", "seed")
    base = replace(find_recipe(recipe.recipe), **{name: getattr(recipe, name) for name in same})
    if base.conditional is None:  # which the data decided
        base = replace(base, conditional=recipe.conditional)
    options = (f"--steps {recipe.steps}", f"--seed {recipe.seed}", *differences(recipe, base))
    return " ".join(["ebm train", recipe.recipe, *options])


def beginning(run: Run) -> Run | None:
    """The run at whose weights a run began, if it lies beside it."""
    begun = run.recipe.get("init_from")
    if not begun:
        return None
    path = run.path.parent / Path(begun["model"]).name
    return run_of(path) if path.is_dir() else None


def spent(run: Run, step: int | None = None) -> float:
    """CPU seconds of a run up to a step, and before it those of the run at whose weights it began."""
    lines = [line for line in run.lines("metrics.jsonl") if step is None or line["step"] <= step]
    source = beginning(run)
    return float(lines[-1]["processor_seconds"]) + (spent(source, run.recipe["init_from"]["step"]) if source else 0.0)


def hardware() -> str:
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")] or ["unknown CPU"]
    units = torch.backends.cpu.get_cpu_capability()
    return f"{names[0]} with {units}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


def commit() -> str:
    """The commit of the code, with "+" if the code has uncommitted changes."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, cwd=ROOT).stdout.strip()

    dirty = git("status", "--porcelain", "--", "src", "benchmarks", "pyproject.toml", "constraints.txt")
    return git("rev-parse", "--short=12", "HEAD") + ("+" if dirty else "")
