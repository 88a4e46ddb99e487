"""The algebra of energies against closed forms."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from energybased import Energy, Gaussian, IsotropicMixture, Network, StandardNormal, UserError, mean, mixture
from energybased.energy import as_energy


class Shifted(Energy):
    """|x - y|^2 / 2, or |x - y0 - y1|^2 / 2: an energy with a condition."""

    def forward(self, x, y=None):
        shift = y if isinstance(y, torch.Tensor) else sum(y)
        return 0.5 * (x - shift.to(x.dtype).view(len(x), -1)).square().sum(1)


X = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
A, B = StandardNormal(3), Gaussian(torch.ones(3), 2 * torch.eye(3))


def test_linear_combinations():
    a, b = A(X), B(X)
    for energy, expected in [
        (A + B, a + b),
        (A - B, a - b),
        (-A, -a),
        (2.5 * A, 2.5 * a),
        (A * 2, 2 * a),
        (sum([A, B, A]), 2 * a + b),
        (mean([A, B]), (a + b) / 2),
        (0.5 * (A + 2 * B) - A, b - a / 2),
        (A / 2, a / 2),
        (A + 1.0, a + 1),
        (1 + A, a + 1),
        (A - 1.0, a - 1),
        (1.0 - A, 1 - a),
        (3 * (A + 1.0) - (B + 2.0), 3 * a - b + 1),
        (np.float64(2) * A, 2 * a),
        (A * torch.tensor(2.0), 2 * a),
        (torch.tensor(2.0) * A, 2 * a),
        (A / torch.tensor(2.0), a / 2),
        (torch.arange(5.0) * A + B, torch.arange(5.0) * a + b),
    ]:
        torch.testing.assert_close(energy(X), expected)
    with pytest.raises(UserError, match="'b' is not an energy"):
        A + "b"


def test_a_weight_for_each_row_follows_its_rows():
    weighted = A * torch.arange(5.0) + 1.0
    values = weighted(X)
    torch.testing.assert_close(weighted.select([1, 3])(X[[1, 3]]), values[[1, 3]])
    torch.testing.assert_close(weighted.expand(2)(X.repeat_interleave(2, 0)), values.repeat_interleave(2))
    torch.testing.assert_close((A * torch.tensor(3.0)).select([0]).expand(2)(X[[0, 0]]), 3 * A(X[[0, 0]]))


def half_square(x):
    return 0.5 * x.square().sum(1)


def test_functions_and_modules_are_taken_for_energies():
    module = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    a, b = A(X), module(X)
    for energy, expected in [
        (A + half_square, 2 * a),
        (half_square + A, 2 * a),
        (A - module, a - b),
        (half_square - 2 * B, a - 2 * B(X)),
        (sum([module, A], B), b + a + B(X)),
        (mean([half_square, module]), (a + b) / 2),
        (A | half_square, a - math.log(2)),
        (half_square | A, a - math.log(2)),
        (mixture([half_square, module]), -torch.logaddexp(-a, -b)),
    ]:
        torch.testing.assert_close(energy(X), expected)


def test_arrays_are_taken_for_tensors():
    x, y = X.numpy(), np.arange(5.0, dtype=np.float32)
    free = np.array([True, False, True])
    torch.testing.assert_close(A.pin(x, free)(X + 1), A.pin(X, torch.from_numpy(free))(X + 1))
    torch.testing.assert_close(Shifted().given(y)(X), Shifted()(X, torch.from_numpy(y)))
    torch.testing.assert_close(mixture([A, B], np.zeros(2))(X), (A | B)(X))
    torch.testing.assert_close(Gaussian(np.ones(3), 2 * np.eye(3))(X.double()), B(X).double())
    assert (Gaussian([1.0, 1.0, 1.0], 2 * np.eye(3))(X) == B(X)).all()


def test_a_printed_energy_shows_what_it_is_made_of():
    held = A.pin(X, torch.tensor([True, False, True])).given(torch.zeros(5, 2))
    printed = str(A + 2.0 * B + half_square + 0.5) + str(mixture([A, B], [0.0, -1.5])) + str(held)
    for words in (
        "weights=(1, 2, 1), constant=0.5",
        "StandardNormal(dim=3)",
        "Gaussian(dim=3)",
        "half_square",
        "log_weights=(0, -1.5)",
        "(5, 2)",
        "10 of 15 entries free",
    ):
        assert words in printed


def test_product_of_gaussians_is_a_gaussian():
    precision = torch.eye(3) + torch.eye(3) / 2
    product = Gaussian(torch.linalg.solve(precision, torch.ones(3) / 2), torch.linalg.inv(precision))
    difference = (A + B)(X) - product(X)
    torch.testing.assert_close(difference, difference[:1].expand(5))


def test_or_is_a_mixture_by_own_z():
    two = StandardNormal(3) | Gaussian(torch.ones(3), torch.eye(3))  # equal Z: an even mixture
    even = IsotropicMixture(torch.stack([torch.zeros(3), torch.ones(3)]), 1.0)
    log_z = math.log(2) + 1.5 * math.log(2 * math.pi)
    torch.testing.assert_close(two(X) + log_z, even(X))
    weighted = mixture([A, Gaussian(torch.ones(3), torch.eye(3))], log_weights=[math.log(0.2), math.log(0.8)])
    uneven = IsotropicMixture(torch.stack([torch.zeros(3), torch.ones(3)]), 1.0, torch.tensor([0.2, 0.8]))
    torch.testing.assert_close(weighted(X) + 1.5 * math.log(2 * math.pi), uneven(X))


def test_given_binds_rows_and_tuples():
    y, z = torch.arange(5.0), torch.ones(5)
    bound = Shifted().given(y)
    torch.testing.assert_close(bound(X), Shifted()(X, y))
    torch.testing.assert_close(Shifted().given(y, z)(X), Shifted()(X, (y, z)))
    torch.testing.assert_close(bound.select([1, 3])(X[[1, 3]]), bound(X)[[1, 3]])
    torch.testing.assert_close(bound.expand(2)(X.repeat_interleave(2, 0)), bound(X).repeat_interleave(2))
    torch.testing.assert_close(Shifted().given(2)(X), Shifted()(X, torch.full((5,), 2)))
    assert A.select([0]) is A and A.expand(3) is A


def test_composites_follow_their_rows_and_pass_conditions_on():
    y = torch.arange(5.0)
    both = Shifted().given(y) + 2.0 * Shifted().given(-y)
    torch.testing.assert_close(both.select(slice(1, 3))(X[1:3]), both(X)[1:3])
    half = Shifted().given(y) + Shifted()
    torch.testing.assert_close(half(X, -y), Shifted()(X, y) + Shifted()(X, -y))
    assert both.bound and not half.bound


def test_bindings_nest():
    y, free = torch.arange(5.0), torch.tensor([True, False, True])
    rows = [1, 3]
    for energy in (
        Shifted().pin(X, free).given(y),
        Shifted().given(y).pin(X, free),
        (Shifted().given(y) + Shifted()).given(-y),
        (Shifted().given(y) | Shifted().given(-y)).pin(X, free),
    ):
        torch.testing.assert_close(energy.select(rows)(X[rows]), energy(X)[rows])
        torch.testing.assert_close(energy.expand(2)(X.repeat_interleave(2, 0)), energy(X).repeat_interleave(2))


def test_pin_holds_entries():
    free = torch.tensor([True, False, True])
    pinned = B.pin(X, free)
    moved = X + 1
    torch.testing.assert_close(pinned(moved), B(torch.where(free, moved, X)))
    _, grad = pinned.value_and_grad(moved)
    assert (grad[:, 1] == 0).all() and (grad[:, 0] != 0).all()
    torch.testing.assert_close((pinned + A).project(moved)[:, 1], X[:, 1])
    torch.testing.assert_close(pinned.select([2])(moved[[2]]), pinned(moved)[[2]])
    assert A.pin(X.double(), free).project(moved).dtype == moved.dtype


def test_value_and_grad_keeps_a_graph_only_in_grad_mode():
    net = Network(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0)))
    with torch.no_grad():
        value, grad = net.value_and_grad(X)
    assert not value.requires_grad and not grad.requires_grad
    value, grad = net.value_and_grad(X)
    grad.square().sum().backward()
    assert net.module[0].weight.grad is not None


@pytest.mark.parametrize(
    "broken, words",
    [
        (lambda: Network(nn.Linear(3, 1))(X), ["(5,)", "(5, 1)"]),
        (lambda: Shifted().given(torch.arange(4.0))(X), ["4 rows", "has 5"]),
        (lambda: Shifted().given(1).given(2), ["already bound"]),
        (lambda: (A * torch.ones(4))(X), ["4 rows", "has 5"]),
        (lambda: A * torch.ones(5, 1), ["(batch,)", "(5, 1)"]),
        (lambda: mean([A, 3]), ["3 is not an energy"]),
        (lambda: mixture([A, StandardNormal]), ["is not an energy"]),
        (lambda: (A + (lambda x: 1.0))(X), ["(5,)", "float"]),
        (lambda: as_energy(lambda x: x.detach().sum(1)).value_and_grad(X), ["differentiate"]),
        (lambda: A.pin(X, torch.ones(3)), ["boolean"]),
        (lambda: A.pin(X, torch.ones(4, dtype=torch.bool)), ["(4,)", "(5, 3)"]),
        (lambda: mixture([A, B], [0.0]), ["2 energies", "(1,)"]),
        (lambda: mean([]), ["no energies"]),
        (lambda: Gaussian(torch.zeros(2), -torch.eye(2)), ["positive definite"]),
        (lambda: Gaussian(torch.zeros(2), torch.eye(3)), ["(2, 2)", "(3, 3)"]),
    ],
)
def test_wrong_use_is_named(broken, words):
    with pytest.raises(UserError) as error:
        broken()
    for word in words:
        assert word in str(error.value)


def test_composites_share_their_parts():
    net = Network(nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)))
    assert len(list((net + 2.0 * net + A).parameters())) == 2
