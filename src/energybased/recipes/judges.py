"""Judges of data sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.recipes.judge import JudgeRecipe
from energybased.training import Adam


def judge_digits(**changes: Any) -> JudgeRecipe:
    """A judge of scikit-learn's digits, which is trained in seconds."""
    recipe = JudgeRecipe(
        recipe="judge-digits",
        data="digits",
        data_noise=0.05,
        batch_size=128,
        steps=400,
        optimizer=Adam(lr=2e-3, beta1=0.9),
        ema=0.99,
    )
    return replace(recipe, **changes)


def judge_mnist(**changes: Any) -> JudgeRecipe:
    """A judge of MNIST, with a test accuracy of at least 99.4 %."""
    recipe = JudgeRecipe(
        recipe="judge-mnist",
        data="mnist",
        batch_size=128,
        steps=4000,
        optimizer=Adam(lr=2e-3, beta1=0.9, schedule="cosine"),
        widths=(32, 32, 64, 64, 128),
        strides=(1, 2, 1, 2, 2),
        norm=True,
        shift=2,
        smoothing=0.05,
        precision="bfloat16",
    )
    return replace(recipe, **changes)


def judge_fashion(**changes: Any) -> JudgeRecipe:
    """A judge of Fashion-MNIST, with a test accuracy of at least 93 %."""
    recipe = judge_mnist(recipe="judge-fashion", data="fashion-mnist", steps=6000, mirror=True)
    return replace(recipe, **changes)


def judge_cifar10(**changes: Any) -> JudgeRecipe:
    """A judge of CIFAR-10, trained for twenty epochs. The target is a test accuracy of 93 %."""
    recipe = judge_mnist(
        recipe="judge-cifar10",
        data="cifar10",
        train_on_validation=True,
        batch_size=250,
        steps=4000,
        optimizer=Adam(lr=3e-3, beta1=0.9, schedule="cosine", weight_decay=0.1, warmup=200),
        widths=(32, 64, 64, 256, 256, 256, 256),
        strides=(1, 2, 1, 2, 1, 2, 4),
        pool=True,
        mirror=True,
        cutout=10,
        smoothing=0.1,
    )
    return replace(recipe, **changes)
