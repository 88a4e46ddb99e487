"""MNIST and Fashion-MNIST as one energy over all levels of noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.recipes.cifar10_energy import cifar10_energy
from energybased.recipes.network import UNetField
from energybased.recipes.noise_conditional import NoiseConditionalRecipe


def mnist_energy(**changes: Any) -> NoiseConditionalRecipe:
    """MNIST by class, as one energy over all levels of noise; as `cifar10-energy`, with a smaller network."""
    recipe = replace(
        cifar10_energy(),
        recipe="mnist-energy",
        data="mnist",
        network=UNetField((64, 128), 1, 2),
        levels=(0.01, 10.0),
        minutes=20.0,
    )
    return replace(recipe, **changes)


def fashion_energy(**changes: Any) -> NoiseConditionalRecipe:
    """Fashion-MNIST by class; as `mnist-energy`."""
    return replace(mnist_energy(recipe="fashion-energy", data="fashion-mnist"), **changes)
