"""Tests of how good a density is, on densities that are known."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binom, norm
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score
from torch.nn.functional import linear

from energybased import IsotropicMixture, StandardNormal, UserError
from energybased.data import from_arrays
from energybased.evaluation import (
    METRICS,
    Subject,
    classifier_test,
    classifier_two_sample_test,
    kernel_stein_discrepancy,
    maximum_mean_discrepancy,
    mean_discrepancy,
)
from energybased.evaluation.classifier_test import RIDGE, fold_areas
from energybased.evaluation.stein import stein_kernel
from energybased.latent import StagedPrior
from energybased.models import LatentModel
from energybased.networks import BatchedMLP

REPEATS, DRAWS, LEVEL = 20, 200, 0.05
TESTS = {
    "ksd": lambda density, x, rng: kernel_stein_discrepancy(density, x, rng),
    "mmd": lambda density, x, rng: maximum_mean_discrepancy(x, density.sample(len(x), rng), rng),
    "c2st": lambda density, x, rng: classifier_two_sample_test(x, density.sample(len(x), rng), rng),
}


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.parametrize("dim", [1, 10])
def test_levels_and_power(name, dim, rng, monkeypatch):
    """At most 9 % false alarms and at least 95 % found; results/fit_tests.json has 400 repeats."""
    monkeypatch.setattr(classifier_test, "PERMUTATIONS", 39)
    monkeypatch.setattr(mean_discrepancy, "PERMUTATIONS", 99)
    density, repeats = StandardNormal(dim), REPEATS // 2 if name == "c2st" else REPEATS  # a classifier takes long

    def rejected(moved):
        draws = (density.sample(DRAWS, rng) + moved for _ in range(repeats))
        return sum(TESTS[name](density, x, rng).p_value <= LEVEL for x in draws)

    assert rejected(0.0) <= binom.ppf(0.999, repeats, 0.09)
    assert rejected(0.5) >= binom.ppf(0.001, repeats, 0.95)


def test_the_stein_kernel_is_that_of_its_definition(rng):
    """s.s k + s.grad k + grad k.s + trace of the mixed derivatives, all by autograd."""
    x, scores = (torch.randn(4, 3, generator=rng, dtype=torch.float64) for _ in range(2))
    h2 = 1.7

    def kernel(a, b):
        return (1 + (a - b).square().sum() / h2) ** -0.5

    found = stein_kernel(x, scores, h2)
    for i, j in ((0, 1), (2, 3), (3, 0), (1, 1)):
        a, b = x[i], x[j]
        by_a, by_b = torch.autograd.functional.jacobian(kernel, (a, b))
        mixed = torch.autograd.functional.hessian(kernel, (a, b))[0][1].trace()
        expected = scores[i] @ scores[j] * kernel(a, b) + scores[i] @ by_b + by_a @ scores[j] + mixed
        torch.testing.assert_close(found[i, j], expected)


def test_the_stein_discrepancy_takes_any_energy_and_needs_no_normalisation(rng):
    x = torch.randn(60, 2, 3, generator=rng)
    seeds = [torch.Generator().manual_seed(1) for _ in range(2)]
    function = kernel_stein_discrepancy(lambda x: 0.5 * x.square().flatten(1).sum(1) + 5, x, seeds[0])
    energy = kernel_stein_discrepancy(StandardNormal(6), x.flatten(1), seeds[1])
    assert function == pytest.approx(energy)


def test_the_mean_discrepancy_is_that_of_its_definition(rng):
    x, y = torch.randn(7, 2, generator=rng).double(), torch.randn(9, 2, generator=rng).double() + 0.3
    rows = torch.cat([x, y])
    distances = [float((a - b).norm()) for i, a in enumerate(rows) for b in rows[:i]]
    h = sorted(distances)[(len(distances) - 1) // 2]

    def mean(a, b, same):
        values = [
            math.exp(-float((p - q).square().sum()) / (2 * h**2))
            for i, p in enumerate(a)
            for j, q in enumerate(b)
            if not (same and i == j)
        ]
        return np.mean(values)

    expected = mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)
    assert maximum_mean_discrepancy(x, y, rng).value == pytest.approx(expected)


def test_all_labelings_are_fitted_as_each_of_them_alone():
    rng = np.random.default_rng(0)
    values, columns, held = rng.normal(size=(90, 4)), rng.random((90, 3)) < 0.5, np.arange(90) % 3 == 0
    alone = []
    for y in columns.T:
        fitted = RidgeClassifier(alpha=RIDGE).fit(values[~held], y[~held])
        alone.append(roc_auc_score(y[held], fitted.decision_function(values[held])))
    assert fold_areas(values, columns, held) == pytest.approx(np.array(alone))


def test_the_classifier_is_nearly_the_best(rng):
    """Two Gaussians at a distance of 1: no classifier has an AUROC above Phi(1 / 2 ** .5) in expectation."""
    x = torch.randn(1000, 3, generator=rng)
    y = torch.randn(1000, 3, generator=rng) + 1 / math.sqrt(3)
    best, found = norm.cdf(1 / math.sqrt(2)), classifier_two_sample_test(x, y, rng)
    error = math.sqrt(best * (1 - best) / 1000)  # more than that of an AUROC of 1,000 against 1,000
    assert best - 0.03 - 4 * error < found.value < best + 4 * error
    assert found.p_value == 1 / 200


def test_the_classifier_sees_more_than_moments(rng):
    """Two Gaussians far apart, and one Gaussian with their mean and covariance, by which none can tell them apart."""
    halves = IsotropicMixture(torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), 0.5).sample(300, rng)
    whole = torch.randn(300, 2, generator=rng) * torch.tensor([math.sqrt(4.25), 0.5])
    found = classifier_two_sample_test(halves, whole, rng)
    assert found.value > 0.5 + 5 / math.sqrt(6 * 300) and found.p_value == 1 / 200


@pytest.mark.parametrize(
    "x, y, words",
    [
        (torch.zeros(50, 2), torch.zeros(50, 2), "all are equal"),
        (torch.randn(50, 2), torch.randn(50, 3), "differ"),
        (torch.randn(1, 2), torch.randn(50, 2), "needs at least"),
        (torch.full((50, 2), torch.nan), torch.randn(50, 2), "finite"),
    ],
)
def test_what_two_sample_tests_refuse(x, y, words):
    for test in (maximum_mean_discrepancy, classifier_two_sample_test):
        with pytest.raises(UserError, match=words):
            test(x, y)


def linear_model(width=2, dim=5, sigma=0.5):
    """x = W z + noise: p(x) and p(z | x) are known Gaussians."""
    rng = torch.Generator().manual_seed(0)
    generator = torch.nn.Linear(width, dim)
    with torch.no_grad():
        generator.weight.copy_(torch.randn(dim, width, generator=rng))
    generator.requires_grad_(False)
    prior = StagedPrior(StandardNormal(width), BatchedMLP(width, (4,), 1)).requires_grad_(False)
    return LatentModel(generator, prior, sigma, steps=300)


def test_a_prior_and_the_aggregate_posterior(rng):
    """For data of the model itself they are the same density; for wider data the aggregate posterior is wider."""
    model = linear_model()
    p_values = {}
    for stretch in (1.0, 2.0):
        z = stretch * torch.randn(5000, 2, generator=rng)
        x = linear(z, model.generator.weight, model.generator.bias)
        x = x + model.sigma * torch.randn(x.shape, generator=rng)
        data = replace(from_arrays("linear", x), domain=model.spec.domain)
        rows = METRICS["prior_fit"].measure(Subject(model, data))
        p_values[stretch] = {row.metric: row.value for row in rows if row.system == "model" and row.metric[-2:] == "_p"}
    assert p_values[1.0].keys() == {"prior_ksd_p", "prior_c2st_p", "prior_mmd_p"}
    assert min(p_values[1.0].values()) > 0.001  # three tests, of which one is below with a probability of 0.3 %
    assert max(p_values[2.0].values()) < 0.05
