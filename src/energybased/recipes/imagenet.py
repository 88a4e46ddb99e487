"""ImageNet with the settings of Du & Mordatch 2019."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.models import Sampler
from energybased.networks import Stage, groups
from energybased.recipes.cifar10 import cifar10_conditional
from energybased.recipes.energy import EnergyRecipe
from energybased.recipes.network import Images
from energybased.sampling import Langevin


def imagenet32(**changes: Any) -> EnergyRecipe:
    """ImageNet at 32x32 conditional on the class, with the settings of Du & Mordatch 2019.

    In 2019 this took five days on 32 GPUs. It has not been run here. The paper reports an inception score of 18.22 and
    an FID of 14.31. It does not state the number of updates; the recipe has that of CIFAR-10. Bytes are dequantised as
    for CIFAR-10.
    """
    network = Images(stem=128, stages=groups(256, 512, 1024, blocks=3))
    recipe = cifar10_conditional(recipe="imagenet32", data="imagenet32", batch_size=32, network=network)
    return replace(recipe, **changes)


def imagenet128(**changes: Any) -> EnergyRecipe:
    """ImageNet at 128x128 conditional on the class, with the settings of Du & Mordatch 2019.

    The recipe has 2,238,000 updates, which took seven days on 32 GPUs in 2019. It has not been run here. The paper
    reports an inception score of 28.6 and an FID of 43.70, before convergence. In the released code the first block has
    leaky activations, apparently by mistake; here every block has swish.
    """
    blocks = (Stage(64, True), Stage(128, True), Stage(256, True), Stage(512, True), Stage(512, True), Stage(512))
    recipe = cifar10_conditional(
        recipe="imagenet128",
        data="imagenet128",
        batch_size=16,
        steps=2_238_000,
        train_on_validation=False,
        network=Images(stem=64, stages=blocks, activation="swish"),
        sampler=Sampler(Langevin(100.0, 0.005, bounds=(0.0, 1.0)), steps=50, length=200, restart=0.01, relabel=0.1),
    )
    return replace(recipe, **changes)
