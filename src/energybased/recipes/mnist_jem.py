"""A classifier of MNIST that is an energy as well."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from energybased.recipes.joint import JointRecipe
from energybased.recipes.mnist import mnist_conditional


def mnist_jem(**changes: Any) -> JointRecipe:
    """A classifier of MNIST that is an energy as well (JEM), with the settings of `mnist-conditional`.

    The network gets one output for each class instead of the class as an input. The training has 2,500 updates, a
    quarter of those of `mnist-conditional`: longer ones have not been measured.
    """
    settings = mnist_conditional(recipe="mnist-jem", steps=2500, score_by="energy")
    settings = replace(settings, buffer=replace(settings.buffer, by_class=False))
    shared = {f.name: getattr(settings, f.name) for f in fields(settings)}
    return JointRecipe(**shared | changes)
