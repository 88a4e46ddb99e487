"""`ebm train RECIPE`, `ebm train RECIPE --from MODEL` and `ebm train --resume RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import tyro

from energybased.cli.parse import hide, parse
from energybased.errors import require
from energybased.processes import is_first
from energybased.recipes import RECIPES, Recipe, find_recipe, read_recipe
from energybased.runs.load import run_of
from energybased.runs.train import resume, train
from energybased.training import Run

R = TypeVar("R", bound=Recipe)


@dataclass(frozen=True)
class NewRun(Generic[R]):
    """Trains a recipe into the folder runs/NAME. Every setting can be changed.

    Args:
        name: name of the run.
        devices: number of processes on each machine, each with a GPU or a share of the processor.
        nodes: number of machines.
        init_from: a run, an exported model, or the name of a model that comes with this package; training begins at its
            weights.
        recipe: settings of the recipe.
    """

    name: str
    devices: int
    nodes: int
    init_from: Annotated[str | None, tyro.conf.arg(name="from")]
    recipe: Annotated[R, tyro.conf.arg(name="")]


@dataclass(frozen=True)
class OldRun:
    """Continues a run. The result is bit-identical to that of an uninterrupted run.

    Args:
        resume: folder of the run.
        devices: number of processes on each machine, which may differ from before.
        nodes: number of machines.
    """

    resume: Path
    devices: int = 1
    nodes: int = 1


def run(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        usage = ("RECIPE [--name NAME --steps N ...]", "RECIPE --from RUN_FILE_OR_NAME", "--resume runs/NAME")
        print("usage:", "\n       ".join(f"ebm train {words}" for words in usage), "\n")
        print(f"recipes: {', '.join(RECIPES)}; ebm train RECIPE --help lists the settings")
        return 0
    if any(argument.split("=")[0] == "--resume" for argument in arguments):
        old, others = tyro.cli(OldRun, args=arguments, prog="ebm train", return_unknown_args=True)
        require(not others, "a resumed run keeps its settings: ebm train --resume RUN takes --devices and --nodes only")
        path, before = old.resume, run_of(old.resume)
        over = before.outcome != "unfinished"
        if not over or before.recipe["recipe"] != "custom":  # a finished run may lack what is fitted when training ends
            after = resume(path, devices=old.devices, nodes=old.nodes)
            if not over:
                return finish(after)
        if is_first():
            print(f"{path}: finished already")
        return 0
    recipe = find_recipe(arguments[0])
    hide(type(recipe))
    kind: Any = NewRun[type(recipe)]  # type: ignore[misc]
    new = parse(
        kind,
        arguments[1:],
        prog=f"ebm train {arguments[0]}",
        default=NewRun(arguments[0], 1, 1, None, recipe),
        config=(tyro.conf.AvoidSubcommands, tyro.conf.SuppressFixed),
    )
    require(
        new.name not in ("", ".", "..") and Path(new.name).name == new.name,
        f"{new.name!r} is not a valid name of a run",
    )
    out = Path("runs") / new.name
    return finish(train(new.recipe, out=out, init_from=new.init_from, devices=new.devices, nodes=new.nodes))


def finish(run: Run) -> int:
    """Prints how training ended. Returns 1 if the guard stopped it, and 0 otherwise."""
    if not is_first():
        return 0
    if run.outcome != "finished":
        print(f"{run.path}: {run.outcome}; for advice, run ebm doctor {run.path}")
        return 1
    print(f"{run.path}: trained; next: {read_recipe(run.recipe['settings']).next_commands(run.path)}")
    return 0
