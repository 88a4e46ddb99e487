"""What people do with a model, against theory."""

import shlex
from dataclasses import replace

import torch

from energybased import Gaussian, ReplayBuffer
from energybased.networks import Stage
from energybased.recipes import RECIPES, Dense, EnergyRecipe, cifar10_small, digits
from energybased.sampling.denoise import denoise
from energybased.settings import differences, from_json, to_json


def test_denoising_is_exact_for_a_gaussian(rng):
    """For data N(m, C) and noise s, E[clean | noisy] = m + C (C + s^2 I)^-1 (noisy - m)."""
    m, c, s = torch.tensor([1.0, -1.0]), torch.tensor([[1.0, 0.5], [0.5, 2.0]]), 0.7
    noisy = torch.randn(6, 2, generator=rng)
    smoothed = Gaussian(m, c + s**2 * torch.eye(2))
    expected = m + (noisy - m) @ torch.linalg.inv(c + s**2 * torch.eye(2)) @ c
    torch.testing.assert_close(denoise(smoothed, noisy, s), expected)
    assert denoise(smoothed, noisy, 0.0) is noisy
    torch.testing.assert_close(denoise(smoothed, noisy, s, times=2), denoise(smoothed, expected, s))


def test_every_recipe_goes_through_json():
    for build in RECIPES.values():
        recipe = build()
        assert from_json(type(recipe), to_json(recipe)) == recipe and differences(recipe, build()) == []


def test_what_is_printed_to_repeat_a_run_is_read_back():
    """The options of the command line against what tyro makes of them."""
    import tyro

    recipe = cifar10_small(
        train_on_validation=True, data="a folder/x.npz", buffer=ReplayBuffer(capacity=300, by_class=True)
    )
    recipe = replace(recipe, network=replace(recipe.network, stages=(Stage(8, True), *recipe.network.stages[1:])))
    words = shlex.split(" ".join(differences(recipe, cifar10_small())))
    read = tyro.cli(EnergyRecipe, args=words, default=cifar10_small(), config=(tyro.conf.AvoidSubcommands,))
    assert read == recipe


def test_settings_say_how_they_differ():
    assert differences(digits(seed=2, network=Dense((8, 9))), digits()) == ["--seed 2", "--network.hidden 8 9"]
