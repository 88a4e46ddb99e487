"""A classifier of MNIST that is an energy as well."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from energybased.recipes.joint import JointRecipe
from energybased.recipes.mnist import mnist
from energybased.recipes.recipe import Recipe


def mnist_jem(**changes: Any) -> JointRecipe:
    """A classifier of MNIST that is an energy as well (JEM), with the settings of `mnist`.

    The network of `mnist-conditional` gets one output for each class instead of the class as an input.
    """
    settings: Recipe = mnist(recipe="mnist-jem", conditional=True)
    shared = {f.name: getattr(settings, f.name) for f in fields(settings)}
    return JointRecipe(**shared | changes)
