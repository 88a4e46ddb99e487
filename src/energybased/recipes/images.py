"""A user's own pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.recipes.cifar10 import cifar10_small
from energybased.recipes.energy import EnergyRecipe


def images(**changes: Any) -> EnergyRecipe:
    """Your own folder of pictures (--data FOLDER), at 32x32 (--size), with the settings of `cifar10-small`.

    If the folder has subfolders, these are the classes.
    """
    recipe = replace(cifar10_small(), recipe="images", data="", size=32, conditional=None)
    return replace(recipe, **changes)
