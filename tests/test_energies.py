"""A contract for every energy in `ANALYTIC` and `NEURAL`."""

import copy
import math

import pytest
import torch

from energybased import UserError
from energybased.energies import ANALYTIC, NEURAL, Gaussian, Tilted
from energybased.networks import MLP


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
    x = energy.draw(n, rng).double()
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
