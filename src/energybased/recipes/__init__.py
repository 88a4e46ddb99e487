"""Experiments, one a file. A new one is a file and a line in `RECIPES`."""

from __future__ import annotations

from collections.abc import Callable

from energybased.errors import UserError, nearest
from energybased.recipes.digits import digits
from energybased.recipes.network import Dense, Images
from energybased.recipes.recipe import EnergyRecipe, Sampler

RECIPES: dict[str, Callable[..., EnergyRecipe]] = {"digits": digits}


def find_recipe(name: str) -> EnergyRecipe:
    """The recipe of this name, with its own settings."""
    if name not in RECIPES:
        raise UserError(f"there is no recipe {name!r}: {nearest(name, RECIPES)}")
    return RECIPES[name]()


__all__ = ["RECIPES", "Dense", "EnergyRecipe", "Images", "Sampler", "digits", "find_recipe"]
