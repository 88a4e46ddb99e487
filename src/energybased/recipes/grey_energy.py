"""MNIST and Fashion-MNIST as one energy over all levels of noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.models import Sampler
from energybased.recipes.cifar10_energy import cifar10_energy
from energybased.recipes.network import UNetField
from energybased.recipes.noise_conditional import NoiseConditionalRecipe
from energybased.sampling import Underdamped


def mnist_energy(**changes: Any) -> NoiseConditionalRecipe:
    """MNIST by class, as one energy over all levels of noise; as `cifar10-energy`, with a smaller network.

    It takes about 24 minutes of two cores. The weight of guidance was chosen on the validation split, by the Fréchet
    distance of samples; the level and the score were not.
    """
    recipe = replace(
        cifar10_energy(),
        recipe="mnist-energy",
        data="mnist",
        network=UNetField((64, 128), 1, 2),
        levels=(0.01, 10.0),
        steps=4000,
        denoiser=0.75,
        guidance=2.0,
        noise=0.1,
        score_by="energy",
        sampler=Sampler(Underdamped(0.07, 0.7), length=20),
    )
    return replace(recipe, **changes)


def fashion_energy(**changes: Any) -> NoiseConditionalRecipe:
    """Fashion-MNIST by class; as `mnist-energy`, for longer: about 38 minutes of two cores.

    What it reaches is in results/fashion-energy.json. Guidance, the level of scores and classes, and the score were
    chosen on the validation split (results/level_choice.json).
    """
    recipe = mnist_energy(
        recipe="fashion-energy",
        data="fashion-mnist",
        steps=6000,
        guidance=3.0,
        noise=0.1,
        score_by="density of states",
    )
    return replace(recipe, **changes)
