"""Distances of samples against closed forms, brute force and the spread over seeds."""

import math
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.linalg
import torch

from energybased import UserError
from energybased.evaluation import METRICS, Moments, coverage, frechet_distance, inception_score, kernel_distance
from energybased.evaluation.calibration import class_logits
from energybased.evaluation.detection import STATISTICS
from energybased.evaluation.enough import TooFew
from energybased.evaluation.metrics.confidence import confidence
from energybased.evaluation.metrics.robustness import right
from energybased.evaluation.mixtures import candidates


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_streamed_moments_are_those_of_all_rows_at_once(rng):
    """Against numpy's float64 means and covariances, with a mean of 1,000 standard deviations."""
    x = torch.randn(6000, 200, generator=rng) @ torch.randn(200, 200, generator=rng) + 14_000
    moments = Moments.streamed(x.split(701))
    mean, covariance = x.double().numpy().mean(0), np.cov(x.double().numpy().T)
    assert moments.count == len(x)
    assert np.abs(moments.mean.numpy() - mean).max() <= 1e-10 * np.abs(mean).max()
    assert np.abs(moments.covariance.numpy() - covariance).max() <= 1e-10 * np.abs(covariance).max()


def test_streaming_holds_one_part_at_a_time():
    held = []

    def parts():
        for i in range(20):
            part = torch.randn(50, 3, generator=seeded(i))
            held.append(weakref.ref(part))
            yield part
            del part
            assert sum(one() is not None for one in held) <= 1

    assert Moments.streamed(parts()).count == 1000


def test_frechet_of_known_moments(rng):
    """Rows that are mapped to have exactly these means and covariances, against scipy's matrix square root."""
    d = 6
    factors = [torch.randn(d, d, generator=rng, dtype=torch.float64) for _ in range(2)]
    means = [torch.randn(d, generator=rng, dtype=torch.float64) for _ in range(2)]
    rows = []
    for factor, mean in zip(factors, means, strict=True):
        x = torch.randn(40, d, generator=rng, dtype=torch.float64)
        x = (x - x.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T  # covariance 1
        rows.append(x @ factor.T + mean)
    a, b = ((f @ f.T).numpy() for f in factors)
    root = scipy.linalg.sqrtm(a @ b).real
    known = float((means[0] - means[1]).square().sum()) + np.trace(a + b - 2 * root)
    assert frechet_distance(*rows) == pytest.approx(known, rel=1e-9)
    assert frechet_distance(Moments.of(rows[0]), rows[1]) == pytest.approx(known, rel=1e-9)


def test_frechet_of_features_that_are_not_finite():
    with pytest.raises(UserError, match="not finite"):
        frechet_distance(torch.tensor([[0.0], [math.nan]]), torch.ones(2, 1))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(
    "statistic",
    [
        lambda x: kernel_distance(x, torch.ones(40, 2)),
        lambda x: coverage(torch.ones(40, 2), x),
        inception_score,
        confidence,
        *(lambda x, of=of: of(torch.arange(40.0), x[:, 0]) for of in STATISTICS.values()),
        *(lambda x, of=of: of(x[:, 0], torch.arange(40.0)) for of in STATISTICS.values()),
        lambda x: class_logits(SimpleNamespace(logits=lambda part: part), x),
        lambda x: right(lambda part: part, x, torch.zeros(len(x), dtype=torch.long)),
    ],
)
def test_a_number_that_is_not_finite_is_not_counted_as_a_miss(statistic, bad):
    """Comparisons with NaN are false, and would pass as a value of 0."""
    x = torch.full((40, 2), 0.5)
    statistic(x)
    x[3] = bad
    with pytest.raises(UserError, match="are not finite: the model or the judge has diverged"):
        statistic(x)


def test_detection_needs_both_kinds():
    for statistic in STATISTICS.values():
        for sides in ((torch.ones(0), torch.ones(3)), (torch.ones(3), torch.ones(0))):
            with pytest.raises(UserError, match="needs scores of both kinds"):
                statistic(*sides)


def test_inception_score_of_known_probabilities():
    """Half of the pictures have (a, 1 - a), half (1 - a, a): exp(ln 2 - h(a)) with the entropy h(a)."""
    a = 0.9
    p = torch.tensor([[a, 1 - a], [1 - a, a]]).repeat(50, 1)
    entropy = -(a * math.log(a) + (1 - a) * math.log(1 - a))
    found = inception_score(p)
    assert found.value == pytest.approx(math.exp(math.log(2) - entropy), rel=1e-6)
    assert found.error == pytest.approx(0, abs=1e-6)  # all groups are alike
    assert inception_score(torch.full((20, 5), 0.2)).value == pytest.approx(1)


def test_the_error_of_an_inception_score_is_its_spread():
    """200 sets of 400 pictures. The squared error's mean has a relative sd of about sqrt(2 / 9 / 200) = 0.03."""
    found = [inception_score((2 * torch.randn(400, 10, generator=seeded(i))).softmax(1)) for i in range(200)]
    variance = np.var([one.value for one in found], ddof=1)  # relative sd sqrt(2 / 199) = 0.1
    assert 0.6 < np.mean([one.error**2 for one in found]) / variance < 1.6


def brute_kernel(a, b):
    return (float(a @ b) / len(a) + 1) ** 3


def test_kernel_distance_is_the_sum_over_pairs(rng):
    x, y = torch.randn(33, 4, generator=rng).double(), torch.rand(45, 4, generator=rng).double()
    within = [
        np.mean([brute_kernel(rows[i], rows[j]) for i in range(len(rows)) for j in range(len(rows)) if i != j])
        for rows in (x, y)
    ]
    between = np.mean([brute_kernel(a, b) for a in x for b in y])
    assert kernel_distance(x, y).value == pytest.approx(sum(within) - 2 * between, rel=1e-10)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_kernel_distance_of_normals_over_seeds(shift):
    """N(0, 1) and N(m, 1): the kernel compares three moments, 3 m^2 + 3 (m^2)^2 + (m^3 + 3 m)^2.

    At m = 0 the error of the jackknife is too large, at most by about sqrt(2); elsewhere it is the spread.
    """
    known = 3 * shift**2 + 3 * shift**4 + (shift**3 + 3 * shift) ** 2
    found = [
        kernel_distance(
            torch.randn(300, 1, generator=seeded(i)), shift + torch.randn(300, 1, generator=seeded(1000 + i))
        )
        for i in range(200)
    ]
    values, errors = (np.array(column) for column in zip(*found, strict=True))
    spread = values.std(ddof=1)
    assert abs(values.mean() - known) < 4 * spread / math.sqrt(len(values))
    within = np.mean(np.abs(values - known) <= 2 * errors)
    assert within >= 0.9  # of 95 %, or more where the error is too large; five sd of 200 draws are 0.08
    assert (0.6 if shift else 1.0) < np.mean(errors**2) / spread**2 < (1.8 if shift else 4.0)


def brute_coverage(samples, data, k, k_density):
    """The definitions, by sorting."""
    distance = lambda a, b: np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))  # noqa: E731
    within = lambda x, k: np.sort(distance(x, x), 1)[:, k]  # noqa: E731  # the row itself is first
    cross = distance(samples, data)
    near = cross < within(data, k_density)
    return (
        (cross < within(data, k)).any(1).mean(),
        (cross < within(samples, k)[:, None]).any(0).mean(),
        near.sum() / (k_density * len(samples)),
        near.any(0).mean(),
    )


@pytest.mark.parametrize("k, k_density, n, m", [(3, 5, 700, 600), (5, 5, 60, 90), (1, 2, 30, 20)])
def test_coverage_against_brute_force(rng, k, k_density, n, m):
    samples = 0.8 * torch.randn(n, 3, generator=rng, dtype=torch.float64) + 0.3
    data = torch.randn(m, 3, generator=rng, dtype=torch.float64)
    assert coverage(samples, data, k, k_density) == pytest.approx(
        brute_coverage(samples.numpy(), data.numpy(), k, k_density), rel=1e-12
    )


def test_density_and_coverage_of_equal_distributions():
    """Their means are 1 and 1 - prod_i (n - i) / (2 n - i), i = 1 ... k, for any density (Naeem et al. 2020)."""
    n, k = 200, 5
    known = 1, 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    found = np.array([coverage(*torch.randn(2, n, 2, generator=seeded(i)))[2:] for i in range(100)])
    assert np.all(np.abs(found.mean(0) - known) < 4 * found.std(0, ddof=1) / 10)


def test_samples_of_one_mode_are_precise_and_cover_little(rng):
    data = torch.cat([torch.randn(100, 2, generator=rng), 20 + torch.randn(100, 2, generator=rng)])
    found = coverage(torch.randn(200, 2, generator=rng), data)
    assert found.precision > 0.9 and found.recall < 0.55 and found.coverage < 0.55


@pytest.mark.parametrize(
    ("statistic", "least", "rows"),
    [(kernel_distance, 30, 29), (coverage, 6, 5), (frechet_distance, 2, 1)],
    ids=lambda v: getattr(v, "__name__", v),
)
def test_too_few_rows(statistic, least, rows):
    with pytest.raises(TooFew, match=f"at least {least} examples on each side, but there are {rows}"):
        statistic(torch.rand(rows, 2), torch.rand(50, 2))


def test_too_few_rows_for_an_inception_score():
    with pytest.raises(TooFew, match="at least 20 examples, but there are 19"):
        inception_score(torch.full((19, 2), 0.5))


def test_too_few_rows_for_a_mixture_and_for_an_error(rng):
    with pytest.raises(TooFew, match="10 Gaussians needs at least 10 examples, but there are 8"):
        candidates(torch.rand(8, 2), None, rng)
    with pytest.raises(TooFew, match="at least 2 examples, but there are 1"):
        next(METRICS["log_likelihood"].measure(SimpleNamespace(test=torch.rand(1, 2))))


@pytest.mark.parametrize("statistic", [kernel_distance, coverage, frechet_distance], ids=lambda f: f.__name__)
def test_features_of_other_widths(statistic):
    with pytest.raises(UserError, match="features"):
        statistic(torch.rand(50, 2), torch.rand(50, 3))
