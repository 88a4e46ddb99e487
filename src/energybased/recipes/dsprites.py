"""dSprites as Du & Mordatch 2019 train it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.models import Sampler
from energybased.networks import Stage
from energybased.recipes.cifar10 import cifar10_conditional
from energybased.recipes.energy import EnergyRecipe
from energybased.recipes.network import Images
from energybased.sampling import Langevin


def dsprites(**changes: Any) -> EnergyRecipe:
    """dSprites conditional on the shape, as the paper: 477,000 updates; never run whole.

    The paper conditions its four strided convolutions by biases and the third by gains; here each has both.
    """
    widths = (64, 128, 128, 128)
    stages = tuple(Stage(width, halve=True, plain=True) for width in widths)
    recipe = cifar10_conditional(
        recipe="dsprites",
        data="dsprites",
        train_on_validation=False,
        batch_size=256,
        steps=477_000,
        network=Images(32, stages, activation="swish", dense=128),
        sampler=Sampler(Langevin(500.0, 0.005, bounds=(0.0, 1.0)), steps=20, length=200),
    )
    return replace(recipe, **changes)
