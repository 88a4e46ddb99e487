"""What people do with a model, against theory."""

import shlex
from dataclasses import replace

import pytest
import torch

from energybased import Gaussian, Langevin, Network, ReplayBuffer, Underdamped, UserError
from energybased.conditions import Classes, Vector
from energybased.data import DataSpec
from energybased.models import EnergyModel, Sampler
from energybased.networks import Stage
from energybased.recipes import RECIPES, Dense, EnergyRecipe, cifar10_small, digits
from energybased.sampling.denoise import denoise
from energybased.settings import differences, from_json, to_json
from energybased.tasks.replay_sampling import ReplaySampling


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


def gaussian_model(mean, classes=0, **settings):
    """An energy model of N(mean, I), or of N(class, I) for each class."""
    kinds = (Classes(classes),) if classes else ()
    energy = Network(lambda x, y: 0.5 * (x - y[:, None]).square().sum(1)) if classes else Gaussian(mean, torch.eye(2))
    spec = DataSpec((2,), conditions=kinds)
    settings = {"kernel": Langevin.overdamped(0.5), "steps": 10, "denoise": 0} | settings
    return EnergyModel(energy, spec, Sampler(**settings), conditions=kinds)


def test_a_buffer_at_test_time_samples_the_density(rng):
    """Each chain is visited about 50 times for 10 steps, long enough to forget its start."""
    mean = torch.tensor([1.0, -2.0])
    x = ReplaySampling(rounds=100, frozen=5, batch=200, size=400).sample([gaussian_model(mean)], 800, rng)
    assert x.shape == (800, 2)
    assert ((x.mean(0) - mean).abs() < 4 / 800**0.5).all()
    assert ((x.var(0) - 1.07).abs() < 4 * (2 / 800) ** 0.5).all()  # 1 / (1 - h / 4), of unadjusted steps with h = 0.25


def test_the_models_of_an_ensemble_take_turns(rng):
    """The rounds of the models at 0 and at 8 pull the chains in turn; the last round is that of the newest.

    A visit leaves the part f = 0.875^10 of a chain's distance to the mean. Then the means after the rounds of the two
    models are m = 8 + f (m' - 8) and m' = f m.
    """
    ensemble = [gaussian_model(torch.full((2,), at)) for at in (0.0, 8.0)]
    sampling = ReplaySampling(rounds=40, frozen=40, batch=300, size=300)
    both, last = (sampling.sample(models, 300, rng).mean() for models in (ensemble, ensemble[1:]))
    f = 0.875**10
    assert abs(float(last) - 8) < 4 * (1.07 / 600) ** 0.5
    assert abs(float(both) - 8 / (1 + f)) < 4 * (1.07 / 600) ** 0.5


def test_classes_change_in_a_buffer_at_test_time(rng):
    """Random classes 0, 1 and 2 are the means of their chains: the variance is that of both."""
    x = ReplaySampling(rounds=60, batch=500, size=500).sample([gaussian_model(None, 3, relabel=0.3)], 500, rng)
    assert abs(float(x.mean()) - 1) < 4 * (1.7 / 500) ** 0.5
    assert abs(float(x.var()) - 1.07 - 2 / 3) < 0.5


def test_chains_in_a_buffer_keep_their_momentum(rng):
    """Underdamped chains of one step a visit have the variance of a Gaussian; with a new momentum each time, 16/13."""
    model = gaussian_model(torch.zeros(2), kernel=Underdamped(1.0, 0.7), steps=1)
    x = ReplaySampling(rounds=100, batch=1000, size=1000).sample([model], 1000, rng)
    assert abs(float(x.var()) - 1) < 4 * (2 / 2000) ** 0.5 < 3 / 13


def test_what_a_buffer_at_test_time_refuses(rng):
    sampling, model, mean = ReplaySampling(rounds=3, frozen=1), gaussian_model(None, 3), torch.zeros(2)
    several = replace(model, conditions=(Vector((2,)),))
    refused = [
        (gaussian_model(mean), 0, "n must be at least 1, got 0"),
        (replace(gaussian_model(mean), sampler=None), 5, "has no sampler, or is conditional on more than a class"),
        (several, 5, "has no sampler, or is conditional on more than a class"),
        (model.given(torch.tensor([0, 1, 2])), 3, "drawn at random: a model cannot be given a condition for each row"),
        (
            replace(gaussian_model(mean), energy=Network(lambda x: torch.nan * x.sum(1))),
            5,
            "5 of 5 chains of the buffer",
        ),
    ]
    for wrong, n, words in refused:
        with pytest.raises(UserError, match=words):
            sampling.sample([wrong], n, rng)
