"""Statistics of detection and calibration, against closed forms and scikit-learn."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.decomposition import PCA
from sklearn.metrics import log_loss
from sklearn.neighbors import NearestNeighbors

from energybased import EnergyModel, Network, Reals, StandardNormal, Tilted, UserError
from energybased.data import from_arrays, load_data
from energybased.data.fingerprint import fingerprint
from energybased.evaluation import METRICS, Subject
from energybased.evaluation.calibration import fit_temperature, negative_log_likelihood, reliability
from energybased.evaluation.detection import STATISTICS
from energybased.evaluation.detectors import NEIGHBOUR, energy_scores, neighbour_score, principal_score
from energybased.evaluation.metrics.energy_histograms import wasserstein
from energybased.models.scores import SCORES, with_score
from energybased.runs.judge import find_judge

MOVED = 1.5


def test_statistics_of_two_normals(rng):
    """Scores N(0, 1) inside and N(1.5, 1) outside, one outside for every two inside."""
    n, m = 40_000, 20_000
    inside, outside = torch.randn(n, generator=rng), MOVED + torch.randn(m, generator=rng)

    def average_precision(positive, negative, share):
        """Integral of precision over recall, both as functions of the threshold; positives are above it."""

        def precision(t):
            above = share * positive.sf(t), (1 - share) * negative.sf(t)
            return above[0] / sum(above) * positive.pdf(t)

        return quad(precision, -8, 8)[0]

    expected = {
        "auroc": norm.cdf(MOVED / math.sqrt(2)),
        "auprc": average_precision(norm(MOVED), norm(0), 1 / 3),
        "auprc_in": average_precision(norm(0), norm(-MOVED), 2 / 3),
        "fpr95": norm.cdf(norm.ppf(0.95) - MOVED),
    }
    # Each is a mean over pairs, or a fraction of outside scores whose threshold has a standard error of its own.
    slope = norm.pdf(norm.ppf(0.95) - MOVED) / norm.pdf(norm.ppf(0.95)) * math.sqrt(0.95 * 0.05 / n)
    error = math.hypot(0.5 / math.sqrt(m), slope)
    assert STATISTICS.keys() == expected.keys()
    for name, statistic in STATISTICS.items():
        assert statistic(inside, outside) == pytest.approx(expected[name], abs=5 * error)


def test_baseline_scores_are_those_of_scikit_learn(rng):
    train, x = torch.rand(60, 1, 4, 4, generator=rng), torch.rand(20, 1, 4, 4, generator=rng)
    score, name = principal_score(train)
    fitted = PCA(8).fit(train.flatten(1).double().numpy())
    flat = x.flatten(1).double().numpy()
    left = ((flat - fitted.inverse_transform(fitted.transform(flat))) ** 2).sum(1)
    assert name == "8 principal components" and score(x).numpy() == pytest.approx(left, abs=1e-4)
    score, _ = neighbour_score(train)
    found = NearestNeighbors(n_neighbors=NEIGHBOUR).fit(train.flatten(1)).kneighbors(x.flatten(1))[0][:, -1]
    assert score(x).numpy() == pytest.approx(found, abs=1e-4)
    with pytest.raises(UserError, match="need 5 training examples"):
        neighbour_score(train[:4])


class Slope(torch.nn.Module):
    def forward(self, x, y=None):
        return 2.0 * x.flatten(1).sum(1)


def test_scores_of_an_energy(rng):
    """A Gaussian tilted by a linear function: everything is known."""
    data = load_data("digits")
    energy = Tilted.fit(data.values(data.train), 0.2, Slope())
    model = EnergyModel(energy, data.spec)
    train, x = data.values(data.train), data.values(data.test)[:20]
    scores = energy_scores(model, data, rng)
    mean = model.score(train).double().mean()
    torch.testing.assert_close(scores["typicality"](x), (model.score(x) - mean).abs(), atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(
        scores["ratio to its base"](x), Slope()(x - energy.base.mean.view(1, 8, 8)), rtol=1e-3, atol=1e-3
    )
    normal = EnergyModel(StandardNormal(64), data.spec)
    found = energy_scores(normal, data, rng)
    assert found.keys() == {"energy", "gradient norm", "typicality", "density of states"}
    torch.testing.assert_close(found["gradient norm"](x), x.flatten(1).norm(dim=1))


@pytest.mark.parametrize("by", ["energy", "typicality of noisy copies"])
def test_scores_share_the_energies_of_the_same_pictures(by, rng, monkeypatch):
    seen = Counter()

    def counted(name):
        def values(model, x, generator):
            seen[name, fingerprint([x])] += 1
            return before[name].values(model, x, generator)

        return before[name]._replace(values=values)

    before = dict(SCORES)
    data = load_data("digits")
    model = EnergyModel(Tilted.fit(data.values(data.train), 0.2, Slope()), data.spec, noise=0.2)
    model = with_score(model, by, data, rng)
    for name in ("energy", "noisy copies"):
        monkeypatch.setitem(SCORES, name, counted(name))
    list(METRICS["ood"].measure(Subject(model, data)))
    for name in ("energy", "noisy copies"):
        pictures = [kind for kind in seen if kind[0] == name]
        assert len(pictures) >= 4 and all(seen[kind] == 1 for kind in pictures)  # the test split and three sets


def test_every_score_of_pictures_has_every_statistic():
    data = load_data("digits")
    model = EnergyModel(Tilted.fit(data.values(data.train), 0.2, Slope()), data.spec, noise=0.2)
    rows = list(METRICS["ood"].measure(Subject(model, data, find_judge(data))))
    scores = ("gradient norm", "typicality", "noisy copies", "typicality of noisy copies")
    scores += ("ratio to its base", "density of states")
    systems = {"model", *(f"model ({name})" for name in scores)}
    systems |= {"best mixture", "principal components", "nearest neighbours"}
    metrics = {f"{statistic}_{kind}" for statistic in STATISTICS for kind in ("noise", "inverted", "flipped")}
    assert {(row.system, row.metric) for row in rows} == {(system, metric) for system in systems for metric in metrics}
    assert all(0 <= row.value <= 1 and "prevalence 0.5" in row.protocol for row in rows)
    assert "noise of 0.2" in rows[0].protocol


def test_reliability_is_that_of_a_loop(rng):
    probabilities = (3 * torch.randn(500, 4, generator=rng)).softmax(1)
    y = torch.randint(4, (500,), generator=rng)
    found = reliability(probabilities, y)
    confidence, predicted = probabilities.double().max(1)
    error = 0.0
    for i in range(15):
        rows = (confidence > i / 15) & (confidence <= (i + 1) / 15)
        assert found.counts[i] == rows.sum()
        if rows.any():
            error += (
                float(rows.sum()) / 500 * abs(float((predicted == y)[rows].double().mean() - confidence[rows].mean()))
            )
    assert found.error == pytest.approx(error) and found.counts.sum() == 500
    with pytest.raises(UserError, match="do not fit"):
        reliability(probabilities, y[:3])


def test_the_temperature_makes_logits_calibrated(rng):
    """Labels drawn from softmax(logits), and the logits stretched by 2.5."""
    n = 20_000
    logits = 2 * torch.randn(n, 5, generator=rng, dtype=torch.float64)
    y = torch.multinomial(logits.softmax(1), 1, generator=rng)[:, 0]
    found = fit_temperature(2.5 * logits, y)
    # The loss of beta = 1 / temperature has a variance of the logits as its second derivative: Fisher's information.
    p = logits.softmax(1)
    information = n * float(((p * logits**2).sum(1) - (p * logits).sum(1) ** 2).mean())
    assert found == pytest.approx(2.5, rel=5 / math.sqrt(information))
    assert negative_log_likelihood(logits, y) == pytest.approx(log_loss(y.numpy(), p.numpy()))
    assert reliability((2.5 * logits / found).softmax(1), y).error < 5 * math.sqrt(15 / n) * 0.5
    assert reliability((2.5 * logits).softmax(1), y).error > 0.1


class Centres(torch.nn.Module):
    """E(x, y) = |x - y|^2 / (2 width^2) in one dimension: p(y | x) is known for the right width."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x, y):
        return (x[:, 0] - y).square() / (2 * self.width**2)


@pytest.mark.parametrize("width, temperature", [(1.0, 1.0), (0.5, 4.0)])
def test_calibration_of_an_energy(width, temperature, rng):
    n = 20_000
    y = torch.randint(3, (n,), generator=rng)
    x = y[:, None] + torch.randn(n, 1, generator=rng)
    data = replace(from_arrays("centres", x, y.numpy()), domain=Reals())
    model = EnergyModel(Network(Centres(width)), data.spec, conditions=data.conditions)
    rows = {row.metric: row.value for row in METRICS["calibration"].measure(Subject(model, data))}
    # A bin's error is within sqrt(p (1 - p) / its share of 2,000 examples): on average less than sqrt(15 / 2000) / 2.
    calibrated = 2 * math.sqrt(15 / (n / 10)) / 2
    assert rows["temperature"] == pytest.approx(temperature, rel=0.2)  # four standard errors on 2,000 examples
    assert rows["ece_scaled"] < calibrated
    assert rows["ece"] == pytest.approx(rows["ece_scaled"], abs=0.02) if temperature == 1 else rows["ece"] > 0.1
    assert rows["nll_scaled"] <= rows["nll"] + 0.01


def test_calibration_of_a_judge():
    data = load_data("digits")
    judge = find_judge(data)
    rows = {row.metric: row.value for row in METRICS["calibration"].measure(Subject(judge, data))}
    test = data.test.take()
    assert rows["nll"] == pytest.approx(
        log_loss(test.y.numpy(), judge.probabilities(data.values(data.test)).numpy()), rel=1e-3
    )


def test_wasserstein_of_a_shift(rng):
    a = torch.randn(500, generator=rng, dtype=torch.float64)
    assert wasserstein(a, a[torch.randperm(500, generator=rng)] + 0.7) == pytest.approx(0.7)
    assert np.isclose(wasserstein(a, 2 * a), float(a.abs().mean()))


class Remembers(torch.nn.Module):
    """|x|^2 / 2, less 2 nats for training examples."""

    def __init__(self, train):
        super().__init__()
        self.train_rows = train

    def forward(self, x, y=None):
        known = torch.cdist(x, self.train_rows).min(1).values < 1e-3
        return 0.5 * x.square().sum(1) - 2.0 * known


def test_energies_of_a_model_that_remembers(rng):
    """|x|^2 / 2 is exponential with mean 1; training examples have 2 nats less in a model that remembers them."""
    data = replace(from_arrays("x", torch.randn(4000, 2, generator=rng)), domain=Reals())

    def measured(energy):
        rows = METRICS["energy_histograms"].measure(Subject(EnergyModel(energy, data.spec), data))
        return {(row.metric, row.system): row.value for row in rows}

    plain, remembers = measured(StandardNormal(2)), measured(Network(Remembers(data.values(data.train))))
    error = math.sqrt(2 / 400)  # of the difference of two means of 400 energies, and more than that of an AUROC
    assert plain["energy_auroc", "model"] == pytest.approx(0.5, abs=5 * error / 2)
    assert remembers["energy_auroc", "model"] == pytest.approx(1 - math.exp(-2) / 2, abs=5 * error / 2)
    assert remembers["energy_w1", "model"] == pytest.approx(2, abs=5 * error)
    for distance in (plain["energy_w1", "model"], plain["energy_w1", "floor"], remembers["energy_w1", "floor"]):
        assert 0 <= distance < 5 * error
