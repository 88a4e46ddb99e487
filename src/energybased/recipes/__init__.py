"""Experiments, one a file. A new one is a file and a line in `RECIPES`."""

from __future__ import annotations

from collections.abc import Callable

from energybased.errors import UserError, nearest
from energybased.recipes.digits import digits
from energybased.recipes.energy import EnergyRecipe, Sampler
from energybased.recipes.judge import JudgeRecipe
from energybased.recipes.judges import judge_digits, judge_fashion, judge_mnist
from energybased.recipes.network import Dense, Images
from energybased.recipes.recipe import Recipe

RECIPES: dict[str, Callable[..., Recipe]] = {
    "digits": digits,
    "judge-digits": judge_digits,
    "judge-mnist": judge_mnist,
    "judge-fashion": judge_fashion,
}
KINDS: tuple[type[Recipe], ...] = (EnergyRecipe, JudgeRecipe)  # the classes that recipes are made of


def find_recipe(name: str) -> Recipe:
    """The recipe of this name, with its own settings."""
    if name not in RECIPES:
        raise UserError(f"there is no recipe {name!r}: {nearest(name, RECIPES)}")
    return RECIPES[name]()


__all__ = [
    "KINDS",
    "RECIPES",
    "Dense",
    "EnergyRecipe",
    "Images",
    "JudgeRecipe",
    "Recipe",
    "Sampler",
    "digits",
    "find_recipe",
    "judge_digits",
    "judge_fashion",
    "judge_mnist",
]
