"""`ebm recipes [NAME]`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence

import tyro

from energybased.models.shipped import shipped
from energybased.recipes import RECIPES, find_recipe
from energybased.recipes.systems import SYSTEMS
from energybased.settings import to_json


def recipes(name: tyro.conf.Positional[str] = "", /) -> int:
    """Lists the recipes, or shows one with its expected result and all settings.

    Args:
        name: the recipe to show.
    """
    if not name:
        for known, build in RECIPES.items():
            print(f"{known:<20} {(inspect.getdoc(build) or '').splitlines()[0]}")
        print(
            "\nSystems for comparison. Appended to a latent recipe, each names a recipe, such as digits-latent-vae:\n"
        )
        for known, (words, _) in SYSTEMS.items():
            print(f"{known:<22} {words}")
        if shipped():
            print(f"\nModels that come with this package, instead of a run: {', '.join(shipped())}")
        return 0
    recipe = find_recipe(name)
    settings = to_json(recipe)
    print(inspect.getdoc(RECIPES.get(name, type(recipe))))
    print(f"\n    ebm train {name}\n")
    print(json.dumps(settings, indent=1))
    return 0


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(recipes, args=arguments, prog="ebm recipes")
