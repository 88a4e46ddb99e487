"""log Z of energies over levels of noise, where it is known."""

import math

import pytest
import torch

import energybased as eb
from energybased import Reals
from energybased.data import DataSet, DataSpec, Split
from energybased.energies.noise_conditional import NoiseConditional
from energybased.errors import UserError
from energybased.evaluation import METRICS, level_likelihood
from energybased.evaluation.level_likelihood import annealed_log_z, levels_of, log_z_by_data
from energybased.evaluation.subject import Subject
from energybased.models.noise_conditional import NoiseConditionalModel
from energybased.sampling import HMC, Langevin
from energybased.sampling.annealed_sequence import anneal_sequence

DIM, SCALE, LEVELS = 4, 0.5, (0.05, 5.0)


class Quadratic(torch.nn.Module):
    """F = weight u and b = 3 log sigma: the energy of a Gaussian with a constant that changes with the level."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, u, log_sigma):
        return self.weight * u[:, None], 3 * log_sigma[:, None]


def model_of(weight):
    energy = NoiseConditional(Quadratic(weight), torch.arange(DIM) / 2, torch.tensor(SCALE), LEVELS)
    return NoiseConditionalModel(energy.at(0.1), DataSpec((DIM,), Reals()), None, 0.1, levels=energy, flow_levels=40)


def log_z(weight, sigma):
    """log of the integral of exp(-|u|^2 (1/2 + weight scale / sigma) - d/2 log(2 pi s^2) - 3 log sigma)."""
    return -DIM / 2 * math.log(1 + 2 * weight * SCALE / sigma) - 3 * math.log(sigma)


@pytest.mark.parametrize("weight", [0.0, 0.05])
def test_annealing_finds_log_z(weight, monkeypatch):
    monkeypatch.setattr(level_likelihood, "CHAINS", 160)
    monkeypatch.setattr(level_likelihood, "LEVELS", 200)
    found = annealed_log_z(model_of(weight), torch.Generator().manual_seed(0))
    for side in (found.forward, found.backward):
        assert side.value == pytest.approx(log_z(weight, 0.1), abs=4 * side.error + 1e-4)
    assert found.forward.error < 0.1


def test_noisy_data_find_log_z_of_their_own_energy():
    """Without the network's field, exp(-E) is the density of Gaussian data with noise of every level."""
    rng, model = torch.Generator().manual_seed(0), model_of(0.0)
    split = Split(torch.arange(DIM) / 2 + SCALE * torch.randn(20_000, DIM, generator=rng))
    subject = Subject(model, DataSet("gaussian", split, split, split, Reals()))
    found = log_z_by_data(subject, model, rng)
    assert found.value == pytest.approx(log_z(0.0, 0.1), abs=4 * found.error + 1e-3)
    assert found.error < 0.2


def test_log_likelihoods_of_a_model_over_levels(monkeypatch):
    """Without the network's field, the model has the log-likelihood of its Gaussian."""
    monkeypatch.setattr(level_likelihood, "LEVELS", 30)
    rng, model = torch.Generator().manual_seed(1), model_of(0.0)  # the noise has seed 0
    split = Split(torch.arange(DIM) / 2 + SCALE * torch.randn(500, DIM, generator=rng))
    subject = Subject(model, DataSet("gaussian", split, split, split, Reals()))
    rows = {row.metric: row for row in METRICS["log_likelihood"].measure(subject) if row.system == "model"}
    s2 = SCALE**2 + 0.1**2
    expected = -DIM / 2 * (math.log(2 * math.pi * s2) + 1)
    for side in ("", "_backward", "_levels"):
        row = rows[f"log_likelihood{side}"]
        assert row.value == pytest.approx(expected, abs=4 * rows[f"log_likelihood{side}_error"].value)
        assert row.n == 500 and "noise of standard deviation 0.1" in row.protocol
    assert 0 < rows["log_likelihood_error"].value < 0.2


def test_levels_lead_from_the_highest_to_that_of_the_model():
    levels = levels_of(model_of(0.0), 20)
    assert len(levels) == 20 and levels == sorted(levels, reverse=True)
    assert levels[0] == 5.0 and levels[-1] == 0.1


def test_bad_input_of_annealing_has_a_sentence():
    normal, x = eb.energies.StandardNormal(2), torch.zeros(6, 2)
    with pytest.raises(UserError, match="6 chains cannot be divided into 4 populations"):
        anneal_sequence([normal, normal], x, HMC(0.1, 2), populations=4)
    with pytest.raises(UserError, match="steps must be at least 1"):
        anneal_sequence([normal, normal], x, HMC(0.1, 2), steps=0)
    with pytest.raises(UserError, match="accepts or rejects"):
        anneal_sequence([normal, normal], x, Langevin(0.1, 0.1))
    with pytest.raises(UserError, match="not finite"):
        anneal_sequence([normal, lambda x: x.sum(1) / 0], x, HMC(0.1, 2))
