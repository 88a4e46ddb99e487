"""A user's own pictures as one energy over all levels of noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.recipes.cifar10_energy import cifar10_energy
from energybased.recipes.network import UNetField
from energybased.recipes.noise_conditional import NoiseConditionalRecipe


def images_energy(**changes: Any) -> NoiseConditionalRecipe:
    """Your own folder of pictures (--data FOLDER), at 64x64 (--size), with the settings of `cifar10-energy`.

    If the folder has subfolders, these are the classes. The network sees squares of 4x4 pixels as channels, so an
    update costs about what one of `cifar10-energy` does. At 32x32, --network.patch 2 costs the same and sees finer
    detail. Sides must be multiples of 4 times the patch. Nothing of its sampling was chosen. What it reaches on 1,200
    textures is in results/images-energy.json.
    """
    recipe = replace(
        cifar10_energy(),
        recipe="images-energy",
        data="",
        size=64,
        conditional=None,
        network=UNetField((48, 96, 192), 2, 4),
    )
    return replace(recipe, **changes)
