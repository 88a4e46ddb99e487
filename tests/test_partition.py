"""log Z and log-likelihoods where they are known."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import energybased as eb
from energybased import (
    EnergyModel,
    Gaussian,
    IsotropicMixture,
    Langevin,
    LatentModel,
    Sampler,
    StandardNormal,
    Tilted,
    UserError,
)
from energybased.cli import main
from energybased.data import from_arrays, load_data
from energybased.energies import PrincipalGaussian, Uniform
from energybased.evaluation import METRICS, latent_likelihood
from energybased.evaluation.metrics import log_likelihood
from energybased.evaluation.metrics.log_likelihood import noisy
from energybased.evaluation.partition import ERRORS, sandwich_log_z, sandwiches
from energybased.evaluation.subject import Subject
from energybased.latent import EnergyPrior, ShortRun
from energybased.models import evidence
from energybased.recipes import RECIPES
from energybased.runs.evaluate import read_rows, subject_of
from energybased.sampling.annealed import Annealed, Tempered, anneal, chosen_rows

OWN = Path(__file__).parent / "own"


def test_whitening_undoes_colouring(rng):
    x = torch.randn(50, 6, generator=rng) @ torch.randn(6, 6, generator=rng)
    for rank in (2, 6):
        gaussian = PrincipalGaussian.fit(x.double(), rank)
        z = torch.randn(7, 6, generator=rng, dtype=torch.float64)
        torch.testing.assert_close(gaussian.whiten(gaussian.colour(z)), z)
        torch.testing.assert_close(gaussian(gaussian.colour(z)), StandardNormal(6)(z))


def sandwiched(density, rng, chains=512):
    base = PrincipalGaussian.fit(density.sample(2000, rng), density.dim)
    samples = density.sample(chains, rng)
    return sandwich_log_z(density + 7.0, base, (density.dim,), chains, samples, True, base, generator=rng)


def test_log_z_of_a_gaussian(rng):
    factor = torch.randn(50, 50, generator=rng) / math.sqrt(50)
    density = Gaussian(torch.ones(50), factor @ factor.T + 0.1 * torch.eye(50))
    found, true = sandwiched(density, rng), float(density.log_z) - 7
    for end in (found.forward, found.backward):  # five errors of 16 groups: Student's t exceeds it once in 6,000
        assert abs(end.value - true) < 5 * end.error < 0.25
    assert found.exact and found.low < found.forward.value and found.high > found.backward.value


def test_log_z_of_a_mixture(rng):
    density = IsotropicMixture(2 * torch.randn(4, 5, generator=rng), 0.8)
    found = sandwiched(density, rng)
    for end in (found.forward, found.backward):
        assert abs(end.value + 7) < 5 * end.error < 0.5


def test_one_direction_alone(rng):
    base = PrincipalGaussian.fit(torch.randn(100, 2, generator=rng), 2)
    found = sandwich_log_z(StandardNormal(2), base, (2,), 64, generator=rng)
    assert found.backward is None and found.high == math.inf and not found.exact
    with pytest.raises(UserError, match="at least 32 chains"):
        sandwich_log_z(StandardNormal(2), base, (2,), 4)


class Zero(torch.nn.Module):
    """A network that adds a number to each class, or nothing."""

    def forward(self, x, y=None):
        return 0 * x.flatten(1).sum(1) + (0 if y is None else 3.0 * y)


@pytest.mark.parametrize("classes", [0, 10])
def test_the_likelihood_of_a_gaussian_of_pictures(classes, monkeypatch):
    """An energy that adds to its Gaussian no more than a number for each class has the Gaussian's likelihood."""
    monkeypatch.setattr(log_likelihood, "enough_chains", lambda dim: 32)
    monkeypatch.setattr(log_likelihood, "OF_CLASS", 32)
    data, noise = load_data("digits"), 0.2
    energy = Tilted.fit(data.values(data.train), noise, Zero())
    conditions = data.conditions if classes else ()
    subject = Subject(EnergyModel(energy, data.spec, None, noise, conditions), data)
    rows = {(row.metric, row.system): row for row in METRICS["log_likelihood"].measure(subject)}
    own, gaussian = rows["log_likelihood", "model"], rows["log_likelihood", "Gaussian"]
    assert own.value == pytest.approx(gaussian.value, abs=1e-2)  # float32 against float64
    x = noisy(subject, data.test, subject.rng(), noise).flatten(1)
    assert "with noise of standard deviation 0.2" in own.protocol and own.n == len(x) == 500
    bits = rows["bits_per_dim", "model"].value
    assert bits == pytest.approx(-own.value / (64 * math.log(2)))
    names = {"log_z", "log_z_error", "log_z_backward"} & {metric for metric, _ in rows}
    assert names == (set() if classes else {"log_z", "log_z_error"})
    assert rows["log_likelihood", "mixture of Gaussians"].value > gaussian.value


def test_a_known_density_through_the_command_line(tmp_path, monkeypatch):
    """log Z is inside the sandwich, and the log-likelihood is that of the density."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(OWN)
    monkeypatch.setattr(log_likelihood, "enough_chains", lambda dim: 512)
    own = ["--import", str(OWN / "known.py")]
    try:
        assert main(["train", "known", "--name", "a", *own]) == 0
        assert main(["evaluate", "runs/a", "--metrics", "log_likelihood", *own]) == 0
        run = eb.Run.open("runs/a")
        rows = {row.metric: row for row in read_rows(run) if row.system == "known"}
        subject = subject_of(run)
    finally:
        RECIPES.pop("known", None)
        sys.modules.pop("known", None)
    low, high = (rows[name].value for name in ("log_z", "log_z_backward"))
    errors = [rows[f"{name}_error"].value for name in ("log_z", "log_z_backward")]
    assert low - 5 * errors[0] < -7 < high + 5 * errors[1] and "exact samples" in rows["log_z_backward"].protocol
    assert rows["log_z_width"].value == pytest.approx(high - low + ERRORS * sum(errors), abs=4e-4)  # rows are rounded
    exact = float(subject.model.energy.log_prob(subject.test).mean())
    for side, log_z in (("", low), ("_backward", high)):
        assert rows[f"log_likelihood{side}"].value == pytest.approx(exact + (-7 - log_z), abs=1e-3)
    assert 0 < rows["log_likelihood_error"].value < 1 and rows["log_z_ess"].value > 100


def line(prior, sigma=0.5):
    """x = z + noise in one dimension."""
    generator = torch.nn.Linear(1, 1).requires_grad_(False)
    generator.weight.fill_(1.0), generator.bias.fill_(0.0)
    return LatentModel(generator, prior, sigma, kernel=eb.Langevin.overdamped(0.3), steps=50)


def latent_rows(model, x, monkeypatch):
    """25 test examples, the metric's rows, and the variance of the logarithm of an example's estimate."""
    monkeypatch.setattr(latent_likelihood, "EXAMPLES", 25)
    monkeypatch.setattr(latent_likelihood, "LEVELS", 30)
    monkeypatch.setattr(latent_likelihood, "NEARBY", 200)
    monkeypatch.setattr(latent_likelihood, "enough_chains", lambda dim: 64)
    monkeypatch.setattr(evidence, "ADAPTATION", 20)
    data = replace(from_arrays("one", x), domain=model.spec.domain)
    rows = {row.metric: row for row in METRICS["log_likelihood"].measure(Subject(model, data))}
    # Weights of 20 chains with the effective number e have the relative variance 20 / e - 1.
    least = min(rows[f"log_likelihood{side}_ess"].value for side in ("", "_backward"))
    return data.values(data.test)[:25], rows, (20 / least - 1) / 20


def test_a_latent_model_has_a_likelihood(monkeypatch):
    """Of x = z + noise in one dimension it is that of N(0, 1 + sigma^2), from both ends."""
    x = math.sqrt(1.25) * torch.randn(600, 1, generator=torch.Generator().manual_seed(0))
    test, rows, variance = latent_rows(line(StandardNormal(1)), x, monkeypatch)
    exact = float(torch.distributions.Normal(0.0, math.sqrt(1.25)).log_prob(test).mean())
    near = variance + 5 * math.sqrt(variance / 25)  # bias, and five standard errors of the mean of 25 logarithms
    for side, words in (("", "in expectation a lower bound"), ("_backward", "an estimate")):
        assert rows[f"log_likelihood{side}"].value == pytest.approx(exact, abs=near)
        assert rows[f"log_likelihood{side}_error"].value == pytest.approx(0.7 / math.sqrt(len(test)), rel=0.5)
        assert 8 < rows[f"log_likelihood{side}_ess"].value <= 20 and words in rows[f"log_likelihood{side}"].protocol
    assert "log_z" not in rows
    assert rows["log_likelihood_width"].value == pytest.approx(variance, abs=near + variance)
    assert near < 0.2 and "estimate" not in rows["log_likelihood_width"].protocol


class Shift(torch.nn.Module):
    """A ratio that moves a normal: exp(z) N(z; 0, 1) is sqrt(e) N(z; 1, 1)."""

    def forward(self, z):
        return z[:, 0]


def test_a_latent_model_whose_prior_has_a_log_z(monkeypatch):
    """With the prior N(1, 1), learned as a ratio, x is N(1, 1 + sigma^2); log Z is that of a normal, and 1 / 2."""
    prior = EnergyPrior(StandardNormal(1), Shift(), ShortRun(Langevin.overdamped(0.5), steps=60))
    x = 1 + math.sqrt(1.25) * torch.randn(600, 1, generator=torch.Generator().manual_seed(0))
    test, rows, variance = latent_rows(line(prior), x, monkeypatch)
    exact = float(torch.distributions.Normal(1.0, math.sqrt(1.25)).log_prob(test).mean())
    for side in ("", "_backward"):
        log_z, error = rows[f"log_z{side}"].value, rows[f"log_z{side}_error"].value
        true = float(prior.base.log_z) + 0.5
        assert abs(log_z - true) < 5 * error + 1e-3 and "of the prior" in rows[f"log_z{side}"].protocol
        assert rows[f"log_likelihood{side}"].value == pytest.approx(
            exact, abs=variance + 5 * math.hypot(error, math.sqrt(variance / 25))
        )
    assert "ends of chains: an estimate" in rows["log_z_backward"].protocol
    assert "itself the end of a chain: an estimate" in rows["log_likelihood_width"].protocol


def test_log_z_within_bounds(rng):
    """exp(-sum of x) on [0, 1]^5: (1 - 1 / e)^5."""
    energy = lambda x: x.flatten(1).sum(1)  # noqa: E731
    found = sandwich_log_z(energy, Uniform(5), (1, 5), 512, bounds=(0.0, 1.0), generator=rng)
    true = 5 * math.log(1 - math.exp(-1))
    assert abs(found.forward.value - true) < 5 * found.forward.error < 0.2
    with pytest.raises(UserError, match="either bounds or scale"):
        base = PrincipalGaussian.fit(torch.randn(100, 5, generator=rng), 5)
        sandwich_log_z(energy, base, (1, 5), 512, scale=base, bounds=(0.0, 1.0))


def test_noisy_data_beyond_the_bounds_of_chains_are_refused():
    data = load_data("digits")
    sampler = Sampler(eb.Langevin(0.1, 0.1, bounds=(0.0, 1.0)))
    model = EnergyModel(eb.Network(Zero()), data.spec, sampler, 0.2)
    with pytest.raises(UserError, match="chains stay in"):
        list(METRICS["log_likelihood"].measure(Subject(model, data)))


def test_several_densities_in_one_batch(rng):
    """Rows of a Gaussian that are moved and weighted by their class: log Z differs by the weights."""
    base, weights = PrincipalGaussian.fit(torch.randn(100, 3, generator=rng), 3), torch.tensor([1.0, 4.0])
    moved = eb.Network(lambda x, y: (x - 0.3 * y[:, None]).square().sum(1) / 2 - weights[y])
    energy = moved.given(torch.arange(2).repeat_interleave(256))
    found = sandwiches(energy, 2, base, (3,), 256, generator=rng)
    for weight, ends in zip(weights.tolist(), found, strict=True):
        true = 1.5 * math.log(2 * math.pi) + weight
        assert abs(ends.forward.value - true) < 5 * ends.forward.error < 0.2


def test_populations_are_resampled_on_their_own(rng):
    """Rows come from their own population, and a population with equal weights keeps its rows."""
    log_weights = torch.stack([torch.zeros(50), 3 * torch.randn(50, generator=rng)]).double()
    rows = chosen_rows(log_weights, torch.tensor([False, True]), rng)
    assert torch.equal(rows[:50], torch.arange(50)) and bool((rows[50:] >= 50).all())
    counts = torch.bincount(rows[50:] - 50, minlength=50)  # systematic resampling: the expected number, rounded
    assert bool(((counts - 50 * log_weights[1].softmax(0)).abs() < 1).all())


@pytest.mark.parametrize("spread", [0.1, 4.0])
def test_the_error_of_populations_that_differ(rng, spread):
    """The root mean square of the standard errors is the standard deviation of estimates, also if it is above a nat."""
    values = spread * torch.randn(1000, 8, generator=rng, dtype=torch.float64)
    found = [Annealed(torch.zeros(8, 1), v, eb.HMC(0.5, 2), True, 8).estimate() for v in values]
    estimates, errors = (torch.tensor(column, dtype=torch.float64) for column in list(zip(*found, strict=True))[:2])
    # Their Monte-Carlo errors are 2 % and 3 %; at 4 nats, leaving out populations finds 7 % too much.
    assert float(errors.square().mean().sqrt()) == pytest.approx(float(estimates.std()), rel=0.15)


def test_an_energy_of_a_path_evaluates_each_energy_once(rng):
    calls = []
    network = eb.Network(lambda x: calls.append(1) or x.square().sum(1))
    first, last, x = StandardNormal(2) + 1.0, network + 2.0, torch.randn(5, 2, generator=rng)
    path = Tempered.of(first, last - first, torch.tensor(0.25))
    torch.testing.assert_close(path(x), 0.75 * first(x) + 0.25 * (x.square().sum(1) + 2))
    assert len(calls) == 1


def test_what_cannot_be_annealed(rng):
    start, added = torch.randn(8, 2, generator=rng), [lambda x: x.square().sum(1)]
    refused = [
        (start, eb.HMC(0.5, 2), {"populations": 3}, "8 chains cannot be divided into 3 populations"),
        (start[:0], eb.HMC(0.5, 2), {}, "0 chains cannot be divided into 1 populations"),
        (start, eb.HMC(0.5, 2), {"populations": 8, "target_ess": 0.9}, "at least two chains in each population"),
        (start, eb.Underdamped(0.5, 0.7), {}, "needs a kernel that accepts or rejects"),
        (start, eb.HMC, {}, "needs a kernel that accepts or rejects"),
    ]
    for x, kernel, settings, words in refused:
        with pytest.raises(UserError, match=words):
            anneal(StandardNormal(2), added, x, kernel, 3, **settings)
