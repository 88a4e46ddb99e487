"""MNIST and Fashion-MNIST on two cores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.models import Sampler
from energybased.recipes.energy import EnergyRecipe
from energybased.recipes.network import Dense
from energybased.sampling import ReplayBuffer, Underdamped
from energybased.training import Adam


def mnist_conditional(**changes: Any) -> EnergyRecipe:
    """MNIST conditional on the class, in minutes on two cores.

    As in the recipe `digits`, noise is added to the data, and chains run at temperature 1 and keep their class. After
    33 minutes on a third of two cores, the Fréchet distance (judge-mnist) of 5,000 fresh samples is about 2. It is 18
    for the best mixture of Gaussians by class, and 138 for one Gaussian (results/mnist-conditional.json). The number of
    denoising steps was chosen on the validation split.
    """
    recipe = EnergyRecipe(
        recipe="mnist-conditional",
        data="mnist",
        conditional=True,
        data_noise=0.3,
        batch_size=200,
        steps=10_000,
        network=Dense((1024, 512)),
        precision="bfloat16",
        sampler=Sampler(Underdamped(0.3, 0.7), steps=5, length=300, denoise=4, engine="compiled"),
        buffer=ReplayBuffer(capacity=5000, restart=0.002, by_class=True),
        optimizer=Adam(lr=3e-3, clip_norm=5.0, schedule="cosine", warmup=500),
        ema=0.998,
        history=10,
        score_by="density of states",
    )
    return replace(recipe, **changes)


def mnist(**changes: Any) -> EnergyRecipe:
    """MNIST without its labels; as `mnist-conditional`, but with shorter steps and a lower learning rate.

    With the settings of `mnist-conditional`, the chains fell behind after 4,700 updates, and the guard stopped the
    training at update 6,280 after three returns. The shorter steps and the lower rate are those of `fashion`. The
    Fréchet distance (judge-mnist) is 1.7 for chains of the replay buffer, and 19 for fresh ones, which are too short to
    reach every digit. It is 32 for the best mixture of Gaussians (results/mnist.json).
    """
    digits = mnist_conditional(recipe="mnist", conditional=False, score_by="energy")
    buffer = replace(digits.buffer, by_class=False)
    return replace(slower(digits), **{"buffer": buffer} | changes)


def fashion(**changes: Any) -> EnergyRecipe:
    """Fashion-MNIST conditional on the class; as `mnist-conditional`, but with shorter steps and a lower learning rate.

    With the settings of MNIST, the gradient of the energy becomes too large for the step size after 3,500 updates. The
    chains are then too hot, which increases the gradient further, and the guard's lower learning rates do not help. The
    Fréchet distance (judge-fashion-mnist) is about 23. It is 55 for the best mixture by class, and 169 for one Gaussian
    (results/fashion.json).
    """
    clothes = slower(mnist_conditional(recipe="fashion", data="fashion-mnist"))
    return replace(clothes, **{"sampler": replace(clothes.sampler, denoise=2)} | changes)


def slower(recipe: EnergyRecipe) -> EnergyRecipe:
    """The recipe with shorter steps of the chains, which keep more of their momentum, and a lower learning rate."""
    sampler = replace(recipe.sampler, kernel=Underdamped(0.2, 0.8))
    return replace(recipe, sampler=sampler, optimizer=replace(recipe.optimizer, lr=2e-3))
