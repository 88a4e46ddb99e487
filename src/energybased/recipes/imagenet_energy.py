"""ImageNet as one energy over all levels of noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.recipes.cifar10_energy import cifar10_energy_gpu
from energybased.recipes.network import UNetField
from energybased.recipes.noise_conditional import NoiseConditionalRecipe


def imagenet32_energy(**changes: Any) -> NoiseConditionalRecipe:
    """ImageNet at 32x32 by class, as one energy over all levels of noise, for GPUs.

    It is written as `cifar10-energy-gpu` is, and has never been run: nothing was chosen or measured, neither network,
    nor budget, nor sampling.
    """
    recipe = replace(
        cifar10_energy_gpu(),
        recipe="imagenet32-energy",
        data="imagenet32",
        network=UNetField((128, 256, 512), 3, 2),
        steps=500_000,
        minutes=None,
    )
    return replace(recipe, **changes)


def imagenet128_energy(**changes: Any) -> NoiseConditionalRecipe:
    """ImageNet at 128x128 by class, as one energy over all levels of noise, for GPUs.

    It is written as `imagenet32-energy` is, and has never been run: nothing was chosen or measured. The levels reach
    twice as high, since neighbouring pixels say more about each other. --devices 8 is for 8 GPUs.
    """
    recipe = replace(
        imagenet32_energy(),
        recipe="imagenet128-energy",
        data="imagenet128",
        levels=(0.01, 40.0),
        network=UNetField((128, 256, 512, 512), 3, 4),
        steps=1_000_000,
    )
    return replace(recipe, **changes)
