"""Measurements against values that are known."""

import math

import numpy as np
import pytest
import torch

from energybased import UserError
from energybased.data import from_arrays, load_data
from energybased.evaluation import METRICS
from energybased.evaluation.copying import nearest
from energybased.evaluation.detection import OUT_OF_DISTRIBUTION, auroc, out_of_distribution_inputs
from energybased.evaluation.frechet import frechet_distance, judge_distance
from energybased.evaluation.mixtures import add_noise, fit_class_mixture, fit_mixture, nearest_mixture
from energybased.evaluation.subject import CHECKS, Subject
from energybased.models.model import OFFERS
from energybased.recipes import judge_digits
from energybased.report.sections import SECTIONS
from energybased.runs.judge import find_judge, load_judge, train_judge


def test_frechet_of_samples_from_gaussians(rng):
    """Diagonal Gaussians: |mu|^2 + sum (s - t)^2; sampling moves it by O(d / n)."""
    n, d = 100_000, 4
    a = torch.randn(n, d, generator=rng, dtype=torch.float64)
    b = 1.0 + 2.0 * torch.randn(n, d, generator=rng, dtype=torch.float64)
    # The mean's part has sd 2 sqrt(d (1 + 4) / n), the spread's 2 (1 - 2) sqrt(d (1/2 + 4/2) / n); five of them.
    error = 5 * math.sqrt(4 * d * 5 / n + 4 * d * 2.5 / n)
    assert abs(frechet_distance(a, b) - (d + d)) < error
    assert abs(frechet_distance(a, a)) < 1e-9


def test_frechet_of_deficient_features(rng):
    a = torch.randn(5, 20, generator=rng)
    assert math.isfinite(frechet_distance(a, a + 1)) and abs(frechet_distance(a, a + 1) - 20) < 1e-3


@pytest.mark.parametrize("a, b", [((5, 2), (5, 3)), ((1, 2), (5, 2))])
def test_frechet_refuses(a, b):
    with pytest.raises(UserError):
        frechet_distance(torch.zeros(a), torch.zeros(b))


def test_auroc_counts_pairs():
    assert auroc(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([3.0, 1.5])) == pytest.approx(5 / 6)


def test_strange_inputs():
    x = load_data("digits").test.x[:20]
    strange = out_of_distribution_inputs(x)
    assert strange.keys() == OUT_OF_DISTRIBUTION.keys() and all(value.shape == x.shape for value in strange.values())
    torch.testing.assert_close(strange["flipped"].flip(-1), x)


def test_the_judge_knows_digits_and_is_always_the_same(tmp_path):
    data = load_data("digits")
    judge = train_judge(out=tmp_path / "a")
    assert (judge.probabilities(data.test.x).argmax(1) == data.test.y).float().mean() >= 0.97
    near, far = (judge_distance(judge, x, data.test.x) for x in (data.train.x, torch.rand(500, 1, 8, 8)))
    assert near < far / 10
    short = [train_judge(judge_digits(steps=20), tmp_path / name).network.state_dict() for name in "bc"]
    assert all(torch.equal(a, b) for a, b in zip(*(weights.values() for weights in short), strict=True))
    judge.export(tmp_path / "judge.safetensors")
    kept = load_judge(tmp_path / "judge.safetensors")
    torch.testing.assert_close(kept.features(data.test.x), judge.features(data.test.x), rtol=1e-2, atol=1e-2)


def test_what_is_no_judge(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((20, 1, 8, 8)))
    with pytest.raises(UserError, match="needs labels"):
        train_judge(judge_digits(data=str(tmp_path / "x.npy")), tmp_path / "a")
    (tmp_path / "judge").write_text("nothing")
    with pytest.raises(UserError, match="is not a model"):
        load_judge(tmp_path / "judge")


def test_mixtures(rng):
    data = load_data("digits")
    one = fit_mixture(data.train.x, 1, rng)
    assert one.sample(10, rng).shape == (10, 1, 8, 8) and one.energy(data.test.x).shape == (500,)
    assert data.train.y is not None
    by_class = fit_class_mixture(data.train.x, data.train.y, 1, rng)
    likelihood = [-m.energy(data.test.x).mean() for m in (one, by_class)]
    assert by_class.components == 10 and likelihood[1] > likelihood[0]
    subject = Subject(None, data, find_judge(data))
    found = {
        m.name: judge_distance(subject.judge, m.sample(1000, rng), data.values(data.validation))
        for m in (one, by_class)
    }
    assert nearest_mixture(subject, [one, by_class]).name == min(found, key=found.__getitem__)


def test_a_class_mixture_is_the_mixture_of_its_classes(rng):
    """Its density against the sum over classes of share x density."""
    data = load_data("digits")
    x, y = data.train.x, data.train.y
    assert y is not None
    joined = fit_class_mixture(x, y, 1, rng)
    parts = torch.stack(
        [(y == c).double().mean().log() - fit_mixture(x[y == c], 1, rng).energy(data.test.x) for c in range(10)]
    )
    torch.testing.assert_close(joined.energy(data.test.x), -parts.logsumexp(0))


class Linear:
    """x = units * (sign (y + 2 k) + noise), for a vector y `(n, 2)` and k = -1 or 1 by the class, if there is one."""

    offers = frozenset({"conditional samples"})
    units = torch.tensor([1e-3, 50.0])

    def __init__(self, sign):
        self.sign = sign

    def given(self, y):
        label, y = y if isinstance(y, tuple) else (torch.full((len(y),), 0.5), y)
        self.mean = self.sign * (y + 2 * (2 * label - 1)[:, None])
        return self

    def sample(self, n, *, generator):
        return self.units * (self.mean + 0.3 * torch.randn(n, 2, generator=generator))


@pytest.mark.parametrize("kind", ["vector", "class and vector"])
def test_the_joint_energy_distance_sees_what_the_marginal_cannot(rng, kind):
    """y and -y, and both classes, are equally frequent: x has the same density with either sign, (x, y) has not."""
    y, label = torch.randn(6000, 2, generator=rng), torch.arange(6000) % 2
    given = y if kind == "vector" else (label, y)
    data = from_arrays("pairs", Linear(1).given(given).sample(6000, generator=rng), given)
    rows = {s: list(METRICS["joint_energy_distance"].measure(Subject(Linear(s), data))) for s in (1, -1)}
    (right, floor), (wrong, _) = rows[1], rows[-1]
    assert [(row.system, row.n) for row in (right, floor)] == [("model", 600), ("training rows", 1000)]
    # The distance of two samples of one density is E |v - v'| (1 / n + 1 / m), and E |v - v'| < (2 * 6 columns) ** .5.
    assert 0 < right.value < 12**0.5 * 2 / 600 and 0 < floor.value < 2 * 12**0.5 * (1 / 600 + 1 / 1000)
    assert wrong.value > 20 * max(right.value, floor.value)


def test_needs_are_names_that_can_be_met():
    """A need under any other name would leave out its metric or section for every model."""
    needs = {name: held.needs for name, held in METRICS.items()} | {s.title: s.needs for s in SECTIONS}
    unknown = {name: set(own) - CHECKS.keys() - OFFERS.keys() for name, own in needs.items()}
    assert not any(unknown.values()), unknown
    assert not CHECKS.keys() & OFFERS.keys()  # one name has one meaning


def test_who_has_a_joint_energy_distance():
    metric, data = METRICS["joint_energy_distance"], load_data("digits")
    assert Subject(Linear(1), data).missing(metric.needs) == []
    assert Subject(find_judge(data), data).missing(metric.needs) == ["conditional samples"]


@pytest.mark.parametrize("dim", [3, 300])
def test_a_mixture_with_noise(dim, rng):
    """Of one Gaussian it is the Gaussian with the variance of the noise added to its covariance."""
    x = torch.randn(400, dim, generator=rng, dtype=torch.float64) * torch.linspace(0.5, 2, dim)
    mixture = fit_mixture(x, 1, rng).density
    far = mixture.sample(10, rng)
    if dim == 3:
        covariance = mixture.scales[0] @ mixture.scales[0].T
        mean = mixture.means[0]
    else:
        u, c = mixture.base.directions, mixture.mixture.scales[0] @ mixture.mixture.scales[0].T
        covariance = u @ c @ u.T + mixture.base.rest * (torch.eye(dim) - u @ u.T)
        mean = mixture.base.mean + u @ mixture.mixture.means[0]
    exact = torch.distributions.MultivariateNormal(mean, covariance + 0.25 * torch.eye(dim))
    torch.testing.assert_close(add_noise(mixture, 0.5).log_prob(far), exact.log_prob(far))


class Drawn:
    """A model whose samples are given."""

    offers = frozenset({"samples"})

    def __init__(self, x):
        self.x = x

    def sample(self, n, *, generator):
        return self.x[:n]


def test_copies_of_training_examples_are_found_and_other_data_are_not():
    """The share for further data of the same distribution is 1/2 within four standard deviations of the statistic."""
    data = load_data("digits")
    train, held = data.values(data.train), data.values(data.validation)
    n, m = len(held), len(data.test)
    error = math.sqrt((n + m + 1) / (12 * n * m))  # of the Mann-Whitney statistic of two equal distributions
    for x, low, high in ((train[:300] + 1e-3, 0.999, 1.0), (held, 0.5 - 4 * error, 0.5 + 4 * error)):
        rows = list(METRICS["copying"].measure(Subject(Drawn(x), data, find_judge(data))))
        assert [row.metric for row in rows] == ["copying_pixels", "copying_judge"]
        assert all(low <= row.value <= high for row in rows), [row.value for row in rows]


def test_the_nearest_row_of_all_parts(rng):
    x, other = torch.randn(7, 3, generator=rng), torch.randn(50, 3, generator=rng)
    distance, number = nearest(x, other.split(13))
    whole = (x[:, None] - other).norm(dim=2).min(1)
    assert torch.equal(number, whole.indices)
    torch.testing.assert_close(distance, whole.values)
