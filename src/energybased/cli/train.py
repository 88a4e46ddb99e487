"""`ebm train RECIPE` and `ebm train --resume RUN`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from energybased.recipes import RECIPES, EnergyRecipe, find_recipe
from energybased.recipes.train import resume, train
from energybased.training import Interrupted


@dataclass(frozen=True)
class NewRun:
    """Trains a recipe into runs/NAME; every setting can be changed.

    Args:
        name: the run's name.
        recipe: its settings.
    """

    name: str
    recipe: Annotated[EnergyRecipe, tyro.conf.arg(name="")]


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
    try:
        if any(argument.split("=")[0] == "--resume" for argument in arguments):
            old = tyro.cli(OldRun, args=arguments, prog="ebm train")
            finished = resume(old.resume)
        else:
            recipe = find_recipe(arguments[0])
            new = tyro.cli(
                NewRun,
                args=arguments[1:],
                prog=f"ebm train {arguments[0]}",
                default=NewRun(arguments[0], recipe),
                config=(tyro.conf.AvoidSubcommands, tyro.conf.SuppressFixed),
            )
            finished = train(new.recipe, out=Path("runs") / new.name)
    except Interrupted as interrupted:
        print(f"ebm: {interrupted}", file=sys.stderr)
        return 130
    print(f"{finished.path}: trained; ebm sample {finished.path}, ebm report {finished.path}")
    return 0
