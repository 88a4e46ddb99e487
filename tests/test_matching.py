"""Objectives that match the gradient of one energy to directions from noise to data."""

import pytest
import torch

from energybased import MLP, UserError, sample
from energybased.objectives import Batch, EnergyMatching, EquilibriumMatching
from energybased.objectives.energy_matching import transported
from energybased.sampling import Langevin


def test_transport_is_the_cheapest_order(rng):
    x = torch.tensor([[0.0], [10.0], [20.0]])
    noise = torch.tensor([[19.0], [1.0], [11.0]])
    assert torch.equal(transported(noise, x), torch.tensor([1, 2, 0]))


@pytest.mark.parametrize(
    ("objective", "kernel", "steps"),
    [(EnergyMatching(), Langevin(0.02, 0.0), 50), (EquilibriumMatching(), Langevin(0.01, 0.0), 300)],
)
def test_descent_carries_noise_to_two_points(objective, kernel, steps, rng):
    torch.manual_seed(0)
    points = torch.tensor([[2.0, 0.0], [-2.0, 0.0]])
    energy = MLP(2, (64, 64))
    optimizer = torch.optim.Adam(energy.parameters(), 3e-3)
    for _ in range(400):
        batch = Batch(points[torch.randint(2, (128,), generator=rng)])
        loss = objective.step({"energy": energy}, {}, batch, rng).losses["energy"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x = sample(energy, torch.randn(200, 2, generator=rng), kernel, steps, rng).x
    distance = torch.cdist(x, points).min(1)
    assert (distance.values < 0.7).float().mean() > 0.9
    assert 0.3 < distance.indices.float().mean() < 0.7


def test_settings_out_of_range_are_refused():
    with pytest.raises(UserError, match="knee"):
        EquilibriumMatching(knee=1.0)
    with pytest.raises(UserError, match="scale"):
        EquilibriumMatching(scale=0.0)
