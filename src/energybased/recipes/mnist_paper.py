"""MNIST by the method of Du & Mordatch 2019."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.models import Sampler
from energybased.networks import Stage
from energybased.recipes.cifar10 import cifar10_conditional
from energybased.recipes.energy import EnergyRecipe
from energybased.recipes.network import Images
from energybased.sampling import Langevin
from energybased.training import Adam

WIDTHS = (16, 32, 64)  # a quarter of the paper's: an update takes a second of one core, not ten


def mnist_paper_conditional(**changes: Any) -> EnergyRecipe:
    """MNIST conditional on the class, by the method of Du & Mordatch 2019; `mnist-conditional` is ours.

    The method: Langevin steps whose noise is much smaller than their size, a replay buffer that relabels, spectral
    norms, a penalty on squared energies, and no Gaussian base. The layers of the network, the 20 transitions per update
    and the learning rate are those of the released code; its network is four times as wide, and trained for 60,000
    updates. It says no more about MNIST: the step size, its clipping and the batch are those of CIFAR-10. The code
    cannot train MNIST by class; here classes change biases and gains, as there.

    Each technique can be switched off: --buffer.restart 1 starts every chain from noise, --network.no-spectral leaves
    out the spectral norm, --energy-l2 0 the penalty.
    """
    stages = tuple(Stage(width, halve=True, plain=True) for width in WIDTHS)
    recipe = cifar10_conditional(
        recipe="mnist-paper-conditional",
        data="mnist",
        train_on_validation=False,
        steps=3000,
        network=Images(WIDTHS[0], stages, dense=128),
        sampler=Sampler(
            Langevin(10.0, 0.005, grad_clip=0.01, bounds=(0.0, 1.0)),
            steps=20,
            length=200,
            restart=0.01,
            relabel=0.1,
            engine="compiled",
        ),
        optimizer=Adam(lr=3e-4, beta1=0.0, beta2=0.999, clip_sigma=3.0),
    )
    return replace(recipe, **changes)


def mnist_paper(**changes: Any) -> EnergyRecipe:
    """MNIST without its labels, with the other settings of `mnist-paper-conditional`."""
    return replace(mnist_paper_conditional(recipe="mnist-paper", conditional=False), **changes)
