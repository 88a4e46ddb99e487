"""A contract for every energy in `ANALYTIC` and `NEURAL`."""

import copy
import math

import pytest
import torch

from energybased import UserError
from energybased.energies import (
    ANALYTIC,
    NEURAL,
    Banana,
    Gaussian,
    GaussianMixture,
    PrincipalGaussian,
    PrincipalMixture,
    Ratio,
    Ratios,
    Reconstruction,
    Ring,
    StandardNormal,
    Tilted,
)
from energybased.networks import MLP, BatchedMLP, dense_generator


def named(make, *arguments):
    return type(make(*arguments)).__name__


@pytest.mark.parametrize("make", ANALYTIC, ids=named)
def test_log_z_is_the_integral(make):
    energy = make()
    side = torch.linspace(-9, 9, 1201, dtype=torch.float64)
    points = torch.cartesian_prod(side, side).float()
    integral = torch.exp(-energy(points).double()).sum() * (side[1] - side[0]) ** 2
    assert math.isclose(float(integral.log()), float(energy.log_z), abs_tol=1e-3)
    assert energy.log_z.ndim == 0
    torch.testing.assert_close(energy.log_prob(points[:3]), -energy(points[:3]) - energy.log_z)


@pytest.mark.parametrize("make", ANALYTIC, ids=named)
def test_exact_samples_have_the_moments_of_the_density(make, rng):
    """Against quadrature; the tolerance is five standard errors of 40,000 independent samples."""
    energy, n = make(), 40_000
    side = torch.linspace(-9, 9, 1201, dtype=torch.float64)
    points = torch.cartesian_prod(side, side)
    p = torch.exp(-energy(points.float()).double())
    p = (p / p.sum())[:, None]
    x = energy.sample(n, rng).double()
    for f in (lambda x: x, torch.square, lambda x: x.prod(1, keepdim=True)):
        expected = (p * f(points)).sum(0)
        error = ((p * f(points).square()).sum(0) - expected.square()).sqrt() / math.sqrt(n)
        assert ((f(x).mean(0) - expected).abs() < 5 * error).all()


@pytest.mark.parametrize("make", ANALYTIC, ids=named)
def test_gradients_are_derivatives(make, rng):
    energy = make().double()
    x = torch.randn(7, 2, generator=rng, dtype=torch.float64)
    assert torch.autograd.gradcheck(energy, x.requires_grad_())


@pytest.mark.parametrize("make", NEURAL, ids=lambda make: named(make, 0))
@pytest.mark.parametrize("classes", [0, 4])
def test_neural_energies(make, classes, rng):
    energy = make(classes)
    x = torch.randn(5, 1, 8, 8, generator=rng)
    y = torch.tensor([0, 1, 2, 3, 0]) if classes else None
    values = energy(x, y)
    assert values.shape == (5,)
    values.sum().backward()
    assert all(p.grad is not None for p in energy.parameters())
    twin = copy.deepcopy(energy)
    torch.testing.assert_close(twin(x, y), energy(x, y))
    if classes:
        torch.testing.assert_close(energy.given(y)(x), values)
        with pytest.raises(UserError, match="conditional"):
            energy(x)


def test_tilted_begins_near_its_base(rng):
    x = torch.rand(200, 2, 3, generator=rng)
    energy = Tilted.fit(x, 0.1, MLP(6, (8,)))
    base = Gaussian(x.flatten(1).mean(0), torch.cov(x.flatten(1).T) + 0.01 * torch.eye(6))
    torch.testing.assert_close(energy.base(x.flatten(1)), base(x.flatten(1)), rtol=1e-3, atol=1e-3)
    assert energy(x).shape == (200,)


def test_a_prior_times_a_ratio_is_another_density(rng):
    """The logit m z - m^2/2 turns N(0, 1) into N(m, 1)."""
    linear = torch.nn.Linear(1, 1)
    with torch.no_grad():
        linear.weight.fill_(0.8)
        linear.bias.fill_(-0.32)
    prior = StandardNormal(1) + Ratio(torch.nn.Sequential(linear, torch.nn.Flatten(0)))
    z = torch.randn(9, 1, generator=rng)
    torch.testing.assert_close(prior(z), 0.5 * (z - 0.8).square().squeeze(1))


def test_ratios_count_the_learned_alone(rng):
    logits, z = BatchedMLP(3, (5,), 4), torch.randn(6, 3, generator=rng)
    assert not Ratios(logits, torch.ones(4))(z).any()  # each begins as the ratio of 1
    torch.nn.init.normal_(logits.weights[-1])
    torch.testing.assert_close(Ratios(logits, torch.tensor([1.0, 0.0, 1.0]))(z), -logits(z)[:, 0] - logits(z)[:, 2])
    with pytest.raises(UserError, match="active"):
        Ratios(logits, torch.ones(5))


def test_reconstruction_belongs_to_its_rows(rng):
    generator, x = dense_generator(3, (8,), (1, 2, 2)), torch.rand(4, 1, 2, 2, generator=rng)
    energy, z = Reconstruction(generator, x, 0.5), torch.randn(4, 3, generator=rng)
    values = energy(z)
    torch.testing.assert_close(values, 2 * (x - generator(z)).square().sum((1, 2, 3)))
    rows = torch.tensor([2, 0])
    torch.testing.assert_close(energy.select(rows)(z[rows]), values[rows])
    torch.testing.assert_close(energy.expand(2)(z.repeat_interleave(2, 0)), values.repeat_interleave(2))
    posterior = StandardNormal(3) + energy
    torch.testing.assert_close(posterior.select(rows)(z[rows]), posterior(z)[rows])
    with pytest.raises(UserError, match="expand"):
        energy(z[:3])


@pytest.mark.parametrize(("n", "dim", "rank"), [(200, 6, 3), (4, 6, 5), (1, 6, 2), (200, 6, 6)])
def test_a_fitted_principal_gaussian_is_that_of_the_covariance(n, dim, rank, rng):
    """Tipping & Bishop 1999: the leading variances, and in every other direction the mean of what is left."""
    x = (torch.randn(n, dim, generator=rng) @ torch.randn(dim, dim, generator=rng)).double()
    d = x - x.mean(0)
    variances, directions = torch.linalg.eigh(d.T @ d / max(n - 1, 1))
    variances = variances.flip(0) + 0.1**2
    variances[rank:] = variances[rank:].mean()
    covariance = directions.flip(1) @ variances.diag() @ directions.flip(1).T
    known, fitted = Gaussian(x.mean(0), covariance), PrincipalGaussian.fit(x, rank, 0.1)
    points = 3 * torch.randn(20, dim, generator=rng).double()
    torch.testing.assert_close(fitted.log_prob(points), known.log_prob(points))


def test_log_z_of_a_doubled_energy_is_that_of_doubles():
    """Not that of float32, rounded: its relative error of up to 6e-8 would show."""
    side = torch.linspace(-9, 9, 1201, dtype=torch.float64)  # a sum over it is an integral up to 1e-12: it is smooth
    ring = torch.exp(-Ring(2.0, 0.3).double()(torch.cartesian_prod(side, side))).sum() * (side[1] - side[0]) ** 2
    for energy, expected in (
        (StandardNormal(3), 1.5 * math.log(2 * math.pi)),
        (Banana(1.2, 0.4), math.log(2 * math.pi * 1.2)),
        (Ring(2.0, 0.3), float(ring.log())),
    ):
        log_z = energy.double().log_z
        assert log_z.dtype == torch.float64 and math.isclose(float(log_z), expected, rel_tol=1e-10)


def test_a_fitted_mixture_is_scikit_learns(rng):
    from sklearn.mixture import GaussianMixture as Fit

    x = torch.cat([torch.randn(200, 3, generator=rng), 3 + 0.5 * torch.randn(100, 3, generator=rng)]).double()
    fitted = GaussianMixture.fit(x, 2, torch.Generator().manual_seed(5), ridge=1e-2)
    seed = int(torch.randint(2**31, (), generator=torch.Generator().manual_seed(5)))
    theirs = Fit(2, reg_covar=1e-2, random_state=seed).fit(x.numpy())
    torch.testing.assert_close(-fitted(x), torch.from_numpy(theirs.score_samples(x.numpy())))
    assert GaussianMixture.fit(x.float(), 2, rng).means.dtype == torch.float32
    joined = GaussianMixture.join([fitted, moments_of(x)], [1.0, 3.0])
    torch.testing.assert_close(
        joined(x), -torch.logaddexp(-fitted(x) + math.log(0.25), -moments_of(x)(x) + math.log(0.75))
    )
    with pytest.raises(UserError, match="too few"):
        GaussianMixture.fit(x[:2], 3, rng)


def moments_of(x):
    return GaussianMixture(x.mean(0)[None], torch.cov(x.T)[None])


def test_a_principal_mixture_is_the_mixture_of_the_components_and_noise_in_the_rest(rng):
    """The density by scikit-learn: its principal components, its mixture of them, its noise variance for the rest."""
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture as Fit

    x = (torch.randn(300, 6, generator=rng) @ torch.randn(6, 6, generator=rng)).double()
    x[:100] += 4
    fitted = PrincipalMixture.fit(x, 2, 3, torch.Generator().manual_seed(5), ridge=1e-3)
    space = PCA(3, svd_solver="covariance_eigh").fit(x.numpy())
    z, variance = space.transform(x.numpy()), space.noise_variance_
    seed = int(torch.randint(2**31, (), generator=torch.Generator().manual_seed(5)))
    rest = ((x.numpy() - space.inverse_transform(z)) ** 2).sum(1) / (2 * variance) + 1.5 * math.log(
        2 * math.pi * variance
    )
    expected = rest - Fit(2, reg_covar=1e-3, random_state=seed).fit(z).score_samples(z)
    torch.testing.assert_close(fitted(x), torch.from_numpy(expected))
    assert PrincipalMixture.fit(x.float(), 2, 3, rng)(x.float()).dtype == torch.float32
    with pytest.raises(UserError, match="rank must be"):
        PrincipalMixture.fit(x, 2, 6, rng)
