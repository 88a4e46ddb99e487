"""CIFAR-10 as one energy over all levels of noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.models import Sampler
from energybased.objectives.denoising_score_matching import DenoisingScoreMatching
from energybased.recipes.network import UNetField
from energybased.recipes.noise_conditional import NoiseConditionalRecipe
from energybased.sampling import Underdamped
from energybased.training import Adam


def cifar10_energy(**changes: Any) -> NoiseConditionalRecipe:
    """CIFAR-10 by class, as one energy over all levels of noise, in about 90 minutes of two cores.

    What it reaches is in results/cifar10-energy.json. Guidance, the level of scores and classes, and the score were
    chosen on the validation split (results/level_choice.json).
    """
    recipe = NoiseConditionalRecipe(
        recipe="cifar10-energy",
        data="cifar10",
        conditional=True,
        batch_size=64,
        network=UNetField((48, 96, 192), 2, 2),
        class_in="trunk",
        steps=16_000,
        denoiser=0.86,
        objective=DenoisingScoreMatching(cross_entropy=0.02),
        guidance=5.0,
        flow_levels=12,
        noise=0.05,
        score_by="multiscale scores",
        sampler=Sampler(Underdamped(0.035, 0.7), length=20),
        optimizer=Adam(lr=1e-3, beta1=0.9, beta2=0.99, weight_decay=0.05, clip_norm=0.5, schedule="cosine", warmup=500),
        ema=0.999,
        checkpoint_every=500,
    )
    return replace(recipe, **changes)


def cifar10_energy_gpu(**changes: Any) -> NoiseConditionalRecipe:
    """CIFAR-10 by class, as `cifar10-energy`, in 30 minutes of one GPU, with four times the weights.

    For 10 hours: --minutes 600 --network.widths 128 256 512 --network.blocks 3, which has ten times the weights. It has
    not been run: nothing was chosen or measured on a GPU, and the settings of sampling are those that were chosen for
    `cifar10-energy`.
    """
    recipe = cifar10_energy()
    recipe = replace(
        recipe,
        recipe="cifar10-energy-gpu",
        batch_size=256,
        network=UNetField((96, 192, 384), 2, 2),
        minutes=30.0,
        optimizer=Adam(
            lr=1e-3, beta1=0.9, beta2=0.99, weight_decay=0.05, clip_norm=0.5, schedule="cosine", warmup=1000
        ),
        ema=0.9995,
        checkpoint_every=2000,
    )
    return replace(recipe, **changes)
