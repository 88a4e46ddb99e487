"""`ebm train RECIPE` and `ebm train --resume RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import tyro

from energybased.cli.parse import parse
from energybased.errors import require
from energybased.recipes import RECIPES, Recipe, find_recipe, read_recipe
from energybased.runs.train import resume, train
from energybased.training import Run

R = TypeVar("R", bound=Recipe)


@dataclass(frozen=True)
class NewRun(Generic[R]):
    """Trains a recipe into runs/NAME; every setting can be changed.

    Args:
        name: the run's name.
        recipe: its settings.
    """

    name: str
    recipe: Annotated[R, tyro.conf.arg(name="")]


@dataclass(frozen=True)
class OldRun:
    """Goes on with a run, bit for bit as if it had never stopped.

    Args:
        resume: the run's folder.
    """

    resume: Path


def run(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: ebm train RECIPE [--name NAME --steps N ...]\n       ebm train --resume runs/NAME\n")
        print(f"recipes: {', '.join(RECIPES)}; ebm train RECIPE --help lists the settings")
        return 0
    if any(argument.split("=")[0] == "--resume" for argument in arguments):
        old, others = tyro.cli(OldRun, args=arguments, prog="ebm train", return_unknown_args=True)
        require(not others, "a resumed run keeps its settings: ebm train --resume RUN, and nothing else")
        path = old.resume
        if Run.open(path).outcome != "unfinished":
            print(f"{path}: finished already, nothing is left to do")
            return 0
        return tell(resume(path))
    recipe = find_recipe(arguments[0])
    kind: Any = NewRun[type(recipe)]  # type: ignore[misc]
    new = parse(
        kind,
        arguments[1:],
        prog=f"ebm train {arguments[0]}",
        default=NewRun(arguments[0], recipe),
        config=(tyro.conf.AvoidSubcommands, tyro.conf.SuppressFixed),
    )
    require(new.name not in ("", ".", "..") and Path(new.name).name == new.name, f"{new.name!r} is no name for a run")
    return tell(train(new.recipe, out=Path("runs") / new.name))


def tell(run: Run) -> int:
    """Says how training ended; 1 if the guard gave up."""
    if run.outcome != "finished":
        print(f"{run.path}: {run.outcome}; ebm doctor {run.path} says what to change")
        return 1
    print(f"{run.path}: trained; {read_recipe(run.recipe['settings']).next_commands(run.path)}")
    return 0
