"""Recipes: whole experiments as settings. Presets have a file per data set or family.

To add a preset, add it to `RECIPES`. To add a class of recipes, add it to `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from energybased.errors import UserError, nearest, require
from energybased.recipes.cifar10 import cifar10, cifar10_conditional, cifar10_small
from energybased.recipes.cifar10_energy import cifar10_energy, cifar10_energy_gpu
from energybased.recipes.custom import CustomRecipe
from energybased.recipes.digits import digits
from energybased.recipes.dsprites import dsprites
from energybased.recipes.energy import EnergyRecipe
from energybased.recipes.grey_energy import fashion_energy, mnist_energy
from energybased.recipes.imagenet import imagenet32, imagenet128
from energybased.recipes.imagenet_energy import imagenet32_energy, imagenet128_energy
from energybased.recipes.images import images
from energybased.recipes.images_energy import images_energy
from energybased.recipes.joint import JointRecipe
from energybased.recipes.judge import JudgeRecipe
from energybased.recipes.judges import judge_cifar10, judge_digits, judge_fashion, judge_mnist
from energybased.recipes.latent import LatentRecipe
from energybased.recipes.latent_digits import digits_latent
from energybased.recipes.latent_images import (
    celeba64_latent,
    cifar10_latent,
    fashion_latent,
    mnist_anomaly,
    mnist_latent,
    svhn_latent,
)
from energybased.recipes.latent_small import (
    cifar10_latent_small,
    fashion_latent_small,
    mnist_anomaly_small,
    mnist_latent_small,
)
from energybased.recipes.lebm import LebmRecipe
from energybased.recipes.mnist import fashion, mnist, mnist_conditional
from energybased.recipes.mnist_jem import mnist_jem
from energybased.recipes.mnist_paper import mnist_paper, mnist_paper_conditional
from energybased.recipes.network import Dense, Images
from energybased.recipes.noise_conditional import NoiseConditionalRecipe
from energybased.recipes.rae import RaeRecipe
from energybased.recipes.recipe import Recipe
from energybased.recipes.staged import StagedRecipe
from energybased.recipes.systems import SYSTEMS, system
from energybased.recipes.table import table
from energybased.recipes.two_stage import TwoStageRecipe
from energybased.recipes.vae import VaeRecipe
from energybased.settings import find_named, from_json

RECIPES: dict[str, Callable[..., Recipe]] = {
    "digits": digits,
    "mnist": mnist,
    "mnist-conditional": mnist_conditional,
    "mnist-jem": mnist_jem,
    "mnist-paper": mnist_paper,
    "mnist-paper-conditional": mnist_paper_conditional,
    "fashion": fashion,
    "cifar10": cifar10,
    "cifar10-conditional": cifar10_conditional,
    "cifar10-small": cifar10_small,
    "cifar10-energy": cifar10_energy,
    "cifar10-energy-gpu": cifar10_energy_gpu,
    "mnist-energy": mnist_energy,
    "fashion-energy": fashion_energy,
    "dsprites": dsprites,
    "imagenet32": imagenet32,
    "imagenet128": imagenet128,
    "imagenet32-energy": imagenet32_energy,
    "imagenet128-energy": imagenet128_energy,
    "images": images,
    "images-energy": images_energy,
    "table": table,
    "digits-latent": digits_latent,
    "mnist-latent-small": mnist_latent_small,
    "mnist-anomaly-small": mnist_anomaly_small,
    "fashion-latent-small": fashion_latent_small,
    "cifar10-latent-small": cifar10_latent_small,
    "mnist-latent": mnist_latent,
    "fashion-latent": fashion_latent,
    "cifar10-latent": cifar10_latent,
    "svhn-latent": svhn_latent,
    "celeba64-latent": celeba64_latent,
    "mnist-anomaly": mnist_anomaly,
    "judge-digits": judge_digits,
    "judge-mnist": judge_mnist,
    "judge-fashion": judge_fashion,
    "judge-cifar10": judge_cifar10,
}
KINDS: tuple[type[Recipe], ...] = (  # classes of recipes
    EnergyRecipe,
    NoiseConditionalRecipe,
    JointRecipe,
    CustomRecipe,
    JudgeRecipe,
    StagedRecipe,
    LebmRecipe,
    VaeRecipe,
    RaeRecipe,
    TwoStageRecipe,
)


def find_recipe(name: str) -> Recipe:
    """The recipe of this name, with default settings. NAME-SYSTEM is a system with which a latent recipe is compared.

    Raises:
        UserError: if there is no such recipe.

    >>> find_recipe("digits").steps
    1200
    """
    if name in RECIPES:
        return RECIPES[name]()
    compared = {f"{known}-{other}": r for known, build in RECIPES.items() for other, r in build().systems().items()}
    if name not in compared:
        raise UserError(f"there is no recipe {name!r}, see ebm recipes: {nearest(name, RECIPES, compared)}")
    return compared[name]


def read_recipe(value: Any) -> Recipe:
    """The recipe from the JSON that `Recipe.settings` returns. Its class is in `KINDS`, or one of the user's.

    Raises:
        UserError: if the class is unknown, or a setting cannot be read.
    """
    kind = value.get("kind", "") if isinstance(value, dict) else ""
    known = {k.__name__: k for k in KINDS}
    found = find_named(kind) if ":" in kind else known.get(kind)
    is_recipe = found is not None and issubclass(found, Recipe)
    require(is_recipe, "this version of energybased does not know the kind of recipe of these settings")
    assert found is not None
    recipe: Recipe = from_json(found, value)
    return recipe


__all__ = [
    "KINDS",
    "RECIPES",
    "SYSTEMS",
    "CustomRecipe",
    "Dense",
    "EnergyRecipe",
    "Images",
    "JointRecipe",
    "JudgeRecipe",
    "LatentRecipe",
    "LebmRecipe",
    "RaeRecipe",
    "Recipe",
    "StagedRecipe",
    "TwoStageRecipe",
    "VaeRecipe",
    "celeba64_latent",
    "cifar10",
    "cifar10_conditional",
    "cifar10_latent",
    "cifar10_latent_small",
    "cifar10_small",
    "digits",
    "digits_latent",
    "dsprites",
    "fashion",
    "fashion_latent",
    "fashion_latent_small",
    "find_recipe",
    "imagenet128",
    "imagenet32",
    "images",
    "judge_cifar10",
    "judge_digits",
    "judge_fashion",
    "judge_mnist",
    "mnist",
    "mnist_anomaly",
    "mnist_anomaly_small",
    "mnist_conditional",
    "mnist_jem",
    "mnist_latent",
    "mnist_latent_small",
    "mnist_paper",
    "mnist_paper_conditional",
    "read_recipe",
    "svhn_latent",
    "system",
    "table",
]
