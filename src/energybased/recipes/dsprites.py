"""dSprites with the settings of Du & Mordatch 2019."""

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
    """dSprites conditional on the shape, with the settings of Du & Mordatch 2019: 477,000 updates.

    The recipe has never been run to its end. In the paper, classes change the biases of the four strided convolutions
    and the gains of the third. Here they change the biases and the gains of all four.
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
        sampler=Sampler(Langevin(500.0, 0.005, bounds=(0.0, 1.0)), steps=20, length=200, restart=0.01, relabel=0.1),
    )
    return replace(recipe, **changes)
