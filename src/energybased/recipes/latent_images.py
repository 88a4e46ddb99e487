"""Latent models with the networks of the literature, for a GPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.latent import Posterior
from energybased.recipes.network import ConvolutionalCoder
from energybased.recipes.staged import StagedRecipe
from energybased.sampling import Langevin
from energybased.training import Adam


def svhn_latent(**changes: Any) -> StagedRecipe:
    """SVHN, with networks, sigma, batch size and posterior chains of Pang et al. 2020.

    The other settings are our own. The recipe has never been run to its end.
    """
    recipe = StagedRecipe(
        recipe="svhn-latent",
        data="svhn",
        dim=100,
        coder=ConvolutionalCoder("svhn"),
        stages=4,
        posterior=Posterior(0.15, Langevin.overdamped(0.1), 20, "auto"),
        batch_size=100,
        steps=100_000,
        optimizer=Adam(lr=1e-4, beta1=0.5),
        ema=0.999,
    )
    return replace(recipe, **changes)


def cifar10_latent(**changes: Any) -> StagedRecipe:
    """CIFAR-10; as `svhn-latent`, but with 128 latent entries and 40 steps on the posterior."""
    posterior = Posterior(0.15, Langevin.overdamped(0.1), 40, "auto")
    recipe = svhn_latent(recipe="cifar10-latent", data="cifar10", dim=128, posterior=posterior)
    return replace(recipe, **{"coder": ConvolutionalCoder("cifar10")} | changes)


def celeba64_latent(**changes: Any) -> StagedRecipe:
    """CelebA at 64 x 64; as `svhn-latent`, but with 40 steps on the posterior."""
    posterior = Posterior(0.15, Langevin.overdamped(0.1), 40, "auto")
    recipe = svhn_latent(recipe="celeba64-latent", data="celeba", posterior=posterior)
    return replace(recipe, **{"coder": ConvolutionalCoder("celeba64")} | changes)


def mnist_latent(**changes: Any) -> StagedRecipe:
    """MNIST; as `svhn-latent`, but with 16 latent entries."""
    coder = ConvolutionalCoder("mnist")
    return replace(svhn_latent(recipe="mnist-latent", data="mnist", dim=16, coder=coder), **changes)


def fashion_latent(**changes: Any) -> StagedRecipe:
    """Fashion-MNIST, with the settings of `mnist-latent`."""
    return replace(mnist_latent(recipe="fashion-latent", data="fashion-mnist"), **changes)


def mnist_anomaly(**changes: Any) -> StagedRecipe:
    """MNIST without one digit (--holdout-class), which the score is to detect, with the settings of `mnist-latent`."""
    return replace(mnist_latent(recipe="mnist-anomaly", holdout_class=9), **changes)
