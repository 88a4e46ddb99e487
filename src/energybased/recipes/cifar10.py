"""CIFAR-10 with the settings of Du & Mordatch 2019, and a small recipe for a CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.models import Sampler
from energybased.networks import Stage, groups
from energybased.recipes.energy import EnergyRecipe
from energybased.recipes.network import Images
from energybased.sampling import Langevin, ReplayBuffer, Underdamped
from energybased.training import Adam


def cifar10_conditional(**changes: Any) -> EnergyRecipe:
    """CIFAR-10 conditional on the class, with all settings of Du & Mordatch 2019.

    The recipe has 74,700 updates, which took two days of one GPU in 2019. It has not been run here. The paper reports
    an inception score of 8.30 and an FID of 37.90 (with the Inception graph of 2015). The learning rate is that of the
    paper's text, from memory; the default of the released code is 3e-4.
    """
    recipe = EnergyRecipe(
        recipe="cifar10-conditional",
        data="cifar10",
        train_on_validation=True,
        conditional=True,
        batch_size=128,
        steps=74_700,
        network=Images(stem=128, stages=groups(128, 256, 256, blocks=2)),
        base="none",
        sampler=Sampler(
            Langevin(10.0, 0.005, grad_clip=0.01, bounds=(0.0, 1.0)), steps=60, length=200, restart=0.01, relabel=0.1
        ),
        buffer=ReplayBuffer(capacity=10_000, policy="fifo", restart=0.05, images=True, relabel=True),
        energy_l2=1.0,
        optimizer=Adam(lr=1e-4, beta1=0.0, beta2=0.999, clip_sigma=3.0),
        ema=0.0,
        history=10,
        guard="off",
    )
    return replace(recipe, **changes)


def cifar10(**changes: Any) -> EnergyRecipe:
    """CIFAR-10 without labels, with all settings of Du & Mordatch 2019.

    The recipe has 121,200 updates and the larger network with dropout. It has not been run here. The paper reports an
    inception score of 6.02 and an FID of 40.58 (with the Inception graph of 2015).
    """
    conditional = cifar10_conditional()
    recipe = replace(
        conditional,
        recipe="cifar10",
        conditional=False,
        steps=121_200,
        network=Images(stem=128, stages=groups(128, 256, 512, blocks=3), dropout=0.5),
        sampler=replace(conditional.sampler, dropout=True),
    )
    return replace(recipe, **changes)


def cifar10_small(**changes: Any) -> EnergyRecipe:
    """CIFAR-10 conditional on the class, in an hour of one thread.

    The network is of the family of Du & Mordatch 2019, with strided convolutions. As in the recipe `mnist-conditional`,
    noise is added to the data, and chains run at temperature 1 on a Gaussian base. Samples are coloured textures. After
    65 minutes of one core, the Fréchet distance (judge-cifar10) of 5,000 fresh samples is about 42. It is 57 for the
    best mixture of Gaussians by class, and 62 for one Gaussian (results/cifar10-small.json).
    """
    recipe = EnergyRecipe(
        recipe="cifar10-small",
        data="cifar10",
        conditional=True,
        data_noise=0.1,
        batch_size=64,
        steps=1600,
        network=Images(stem=32, stages=(Stage(64, True, True), Stage(128, True, True), Stage(128, True, True))),
        precision="bfloat16",
        sampler=Sampler(Underdamped(0.15, 0.7), steps=20, length=100, engine="compiled"),
        buffer=ReplayBuffer(capacity=2000, restart=0.002, by_class=True),
        optimizer=Adam(lr=2e-3, clip_norm=5.0, schedule="cosine", warmup=100),
        ema=0.995,
        checkpoint_every=250,
        history=10,
    )
    return replace(recipe, **changes)
