"""Restored examples against the posteriors of Gaussians, and simple methods against other packages."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from energybased import EnergyModel, Gaussian, LatentModel, Network, Sampler, StandardNormal, Underdamped, UserError
from energybased.conditions import Classes
from energybased.data import DataSpec, Pixels, from_arrays
from energybased.energies import Contaminated, Measured
from energybased.evaluation import METRICS, Subject
from energybased.evaluation.restoration import (
    adaptive_median_filtered,
    mean_filled,
    median_filtered,
    mse,
    nearest_filled,
    psnr,
)
from energybased.models.blur import Blur, LowResolution
from energybased.models.class_terms import fit_class_terms, fitted_terms
from energybased.models.degradation import GaussianNoise, Missing, SaltPepper
from energybased.models.fitted import Fitted
from energybased.networks import Separable
from energybased.sampling import HMC, Langevin
from energybased.sampling.stiffened import stiffened
from energybased.tasks.across import across
from energybased.tasks.compose import compose
from energybased.tasks.restore import energies_of, restore

EVENT, NOISE, CHAINS = (1, 2, 4), 0.05, 2000
DIM = math.prod(EVENT)
MEAN = 0.5 + 0.02 * torch.arange(DIM, dtype=torch.float64)
# Neighbours are correlated; the standard deviation of 0.08 keeps x within [0, 1] by more than four deviations.
COVARIANCE = 0.0064 * 0.7 ** (torch.arange(DIM)[:, None] - torch.arange(DIM)).abs().double()
NOISY = COVARIANCE + NOISE**2 * torch.eye(DIM).double()  # the covariance of v = x + noise eps


class Flat(torch.nn.Module):
    """A Gaussian energy of flattened pictures, moved by its class if there is one."""

    def __init__(self, classes=0):
        super().__init__()
        self.gaussian, self.shift = Gaussian(MEAN, NOISY), 0.1 if classes else 0.0

    def forward(self, v, y=None):
        moved = 0.0 if y is None else self.shift * (2.0 * y - 1).view(-1, *[1] * (v.ndim - 1))
        return self.gaussian((v - moved).flatten(1))


def model(classes=0):
    sampler = Sampler(Underdamped(0.05, 0.7), length=150)
    conditions = (Classes(classes),) if classes else ()
    return EnergyModel(Network(Flat(classes)), DataSpec(EVENT, Pixels(), conditions), sampler, NOISE, conditions)


def matrix(degradation):
    """A, as a matrix on flattened pictures."""
    basis = torch.eye(DIM).double().view(DIM, *EVENT)
    return (
        degradation.operator(EVENT).to(basis)(basis).flatten(1).T
        if hasattr(degradation, "operator")
        else torch.eye(DIM).double()
    )


def agree(x, mean, covariance):
    """Means and covariances of n draws x, within five standard errors."""
    n, spread = len(x), covariance.diag().clamp(min=0).sqrt()
    assert ((x.mean(0) - mean).abs() <= 5 * spread / math.sqrt(n) + 1e-9).all()
    error = ((spread[:, None] * spread) ** 2 + covariance**2).sqrt() / math.sqrt(n)
    assert ((torch.cov(x.T) - covariance).abs() <= 5 * error + 1e-9).all()


def one(rng):
    return (MEAN + Gaussian(torch.zeros(DIM).double(), COVARIANCE).sample(1, rng)).view(1, *EVENT)


@pytest.mark.parametrize("degradation", [GaussianNoise(0.12), Blur(0.6, 0.12), LowResolution(2, 0.06)], ids=str)
def test_a_noisier_measurement_than_the_model_gives_the_posterior(degradation, rng):
    """E[x | y] = m + C A^T (A C A^T + s^2)^-1 (y - A m). Restored examples are E[x | v], where x - v - y is a chain.

    So their covariance is Cov(x | y) - Cov(x | v).
    """
    y, a = degradation.apply(one(rng), rng), matrix(degradation)
    gain = COVARIANCE @ a.T @ torch.linalg.inv(a @ COVARIANCE @ a.T + degradation.sigma**2 * torch.eye(len(a)).double())
    mean = MEAN + gain @ (y.flatten() - a @ MEAN)
    given_y = COVARIANCE - gain @ a @ COVARIANCE
    given_v = COVARIANCE - COVARIANCE @ torch.linalg.inv(NOISY) @ COVARIANCE
    x = model().restore(y.expand(CHAINS, *y.shape[1:]), degradation=degradation, generator=rng)
    agree(x.flatten(1), mean, given_y - given_v)


def test_missing_pixels_follow_the_known_ones(rng):
    """v of the known pixels is x + noise eps; v of the others is drawn given it, and x is E[x | v]."""
    free = (torch.arange(DIM) % 3 == 0).view(EVENT)
    x, known = one(rng), ~free.flatten()
    restored = model().restore(x.expand(CHAINS, *EVENT), free, generator=rng).flatten(1)
    assert torch.equal(restored[:, known], x.flatten()[known].expand(CHAINS, -1))
    slope = NOISY[:, known] @ torch.linalg.inv(NOISY[known][:, known])
    rest = NOISY - slope @ NOISY[known]
    spread = slope @ (NOISE**2 * slope.T) + rest  # the covariance of v over the noise of the known pixels
    gain = COVARIANCE @ torch.linalg.inv(NOISY)
    mean = MEAN + gain @ slope @ (x.flatten() - MEAN)[known]
    agree(restored[:, ~known], mean[~known], (gain @ spread @ gain.T)[~known][:, ~known])


@pytest.mark.parametrize("degradation", [GaussianNoise(0.02), Blur(0.6), LowResolution(2)], ids=str)
def test_a_cleaner_measurement_gets_the_noise_that_the_model_knows(degradation, rng):
    """Examples of the model that are degraded and restored are distributed as its denoised samples, whatever is added.

    v given y' has the conditional density, and y' that of the model's own measurements, so v has the density of v.
    """
    x = (MEAN + Gaussian(torch.zeros(DIM).double(), COVARIANCE).sample(CHAINS, rng)).view(-1, *EVENT)
    restored = model().restore(degradation.apply(x, rng), degradation=degradation, generator=rng).flatten(1)
    gain = COVARIANCE @ torch.linalg.inv(NOISY)
    agree(restored, MEAN, gain @ COVARIANCE)
    # And y tells something: the error is below that of the mean by more than chance.
    assert mse(restored, x.flatten(1)).mean() < 0.9 * COVARIANCE.diag().mean()


def test_a_latent_model_infers_what_its_generator_saw(rng):
    """z given y = W z + b + sqrt(sigma^2 + s^2) eps, for z ~ N(0, 1): a Gaussian; g(z) is W z + b."""
    weight, bias, sigma, s = 0.1 * torch.randn(DIM, 2, generator=rng), torch.full((DIM,), 0.5), 0.05, 0.1
    linear = torch.nn.Sequential(torch.nn.Linear(2, DIM), torch.nn.Unflatten(1, EVENT)).requires_grad_(False)
    linear[0].weight.copy_(weight)
    linear[0].bias.copy_(bias)
    kernel = Langevin.overdamped(0.1)
    latent = LatentModel(linear, StandardNormal(2), sigma, kernel, spec=DataSpec(EVENT, Pixels()))
    y = linear(torch.tensor([[0.5, -0.5]]))
    y = y + 0.1 * torch.randn(y.shape, generator=rng)
    x = latent.restore(y.expand(2000, *EVENT), degradation=GaussianNoise(s), steps=300, generator=rng).flatten(1)
    precision = torch.eye(2) + weight.T @ weight / (sigma**2 + s**2)
    mean = bias + weight @ torch.linalg.solve(precision, weight.T @ (y.flatten() - bias) / (sigma**2 + s**2))
    spread = (weight @ torch.linalg.inv(precision) @ weight.T).diag().sqrt()
    assert ((x.mean(0) - mean).abs() < 5 * spread / math.sqrt(2000) + 1e-5).all()
    torch.testing.assert_close(x.std(0), spread, rtol=0.1, atol=0)  # the step of the chains adds a few per cent


def test_salt_and_pepper_is_told_from_black_and_white(rng):
    """Of 200 x 200 pixels, 0.3 were black: one that is black now was so with probability .7 x .3 / (.7 x .3 + .15)."""
    x = torch.where(torch.rand(1, 1, 200, 200, generator=rng) < 0.3, 0.0, 0.5)
    degradation = SaltPepper(0.3)
    y = degradation.apply(x, rng)
    kept, error = degradation.kept(y), 5 / 200
    assert (kept[(y > 0) & (y < 1)] == 1).all() and (kept[y == 1] < error).all()
    assert abs(float(kept[y == 0][0]) - 0.21 / 0.36) < error
    both = torch.cat([x, x.clamp(min=0.25)])  # each picture has its own share of black pixels
    y = degradation.apply(both, rng)
    kept = degradation.kept(y)
    assert abs(float(kept[0][y[0] == 0][0]) - 0.21 / 0.36) < error and (kept[1][y[1] == 0] < error).all()
    # A model restores what was set, and leaves what is exact.
    clean = one(rng).expand(64, *EVENT)
    y = SaltPepper(0.3).apply(clean, rng)
    restored = model().restore(y, degradation=SaltPepper(0.3), generator=rng)
    assert torch.equal(restored[y == clean], clean[y == clean])
    assert mse(restored, clean).mean() < COVARIANCE.diag().mean() < mse(y, clean).mean()


def test_energies_of_measurements(rng):
    x, y = torch.rand(3, 4, generator=rng).double(), torch.rand(3, 4, generator=rng).double()
    sigma = torch.tensor([0.5, 1.0, torch.inf, 2.0]).double()
    density = torch.distributions.Normal(x[:, [0, 1, 3]], sigma[[0, 1, 3]])
    constant = (math.sqrt(2 * math.pi) * sigma[[0, 1, 3]]).log().sum()
    torch.testing.assert_close(Measured(y, sigma)(x), -density.log_prob(y[:, [0, 1, 3]]).sum(1) - constant)
    kept = torch.tensor([[0.0, 0.3, 0.9, 1.0]]).double().expand(3, 4)
    normal = torch.distributions.Normal(x, 0.4).log_prob(y).exp()
    energy = Contaminated(y, 0.4, kept)
    torch.testing.assert_close(energy(x), -(kept * normal + 1 - kept).log().sum(1))
    assert energy.value_and_grad(100 * x)[1].isfinite().all()
    for made in (energy, Measured(y, sigma)):
        torch.testing.assert_close(made.select([2, 0])(x[[2, 0]]), made(x)[[2, 0]])
        torch.testing.assert_close(made.expand(2)(x.repeat_interleave(2, 0)), made(x).repeat_interleave(2))
        with pytest.raises(UserError, match="expand"):
            made(x[:2])


def test_blur_and_averages_are_those_of_other_packages(rng):
    from scipy.ndimage import gaussian_filter

    x = torch.rand(2, 3, 12, 8, generator=rng).double()
    for width in (0.5, 1.0, 1.5):
        expected = gaussian_filter(x.numpy(), (0, 0, width, width), mode="nearest", truncate=4.0)
        torch.testing.assert_close(Separable.blur((3, 12, 8), width)(x), torch.from_numpy(expected))
    small = Separable.average((3, 12, 8), 4)
    torch.testing.assert_close(small(x), torch.nn.functional.avg_pool2d(x, 4))
    measured, change, values = small.spectral()
    torch.testing.assert_close(measured(x), change(small(x)))
    torch.testing.assert_close(values, torch.full((3, 2), 0.25).double())


def test_a_stiffer_energy_gets_a_shorter_step():
    kernel, factor = stiffened(Langevin(0.5, 1.0, noise_first=False), 3.0)
    assert factor == 0.5 and kernel == Langevin(0.125, 0.5, noise_first=False)  # of the same temperature
    assert stiffened(HMC(0.4, 5), 0.0) == (HMC(0.4, 5), 1.0)
    assert stiffened(object, 3.0) == (object, 1.0)


def test_candidates_are_ordered_by_energies_that_share_their_noise(rng):
    """Over noisy copies with equal noise, E(a + e) - E(b + e) of a Gaussian has no noise but that of a linear term."""
    y = GaussianNoise(0.12).apply(one(rng).expand(3, *EVENT), rng)
    found = restore(model(), y, GaussianNoise(0.12), candidates=5, generator=rng)
    assert found.x.shape == (3, 5, *EVENT) and (found.energies.diff(dim=1) >= 0).all()
    assert torch.equal(found.best, found.x[:, 0])
    same = found.x[:, :1].expand(3, 5, *EVENT)
    energies = energies_of(model(), same, rng)
    torch.testing.assert_close(energies, energies[:, :1].expand(3, 5))
    # In expectation an energy is E(x) + tr(precision) noise^2 / 2; the mean over eight copies is near it.
    expected = model().energy(found.best) + 0.5 * NOISE**2 * torch.linalg.inv(NOISY).trace()
    assert (energies[:, 0] - expected).abs().max() < 5 * math.sqrt(DIM / 8)


def test_masks_and_conditions_follow_their_rows(rng):
    conditional = model(2)
    x = one(rng).expand(2, *EVENT)
    free = torch.zeros(2, *EVENT, dtype=torch.bool)
    free[0, ..., 0], free[1, ..., 3] = True, True
    found = restore(conditional.given(torch.tensor([0, 1])), x, Missing(free), candidates=50, generator=rng)
    means = found.x.mean(1)
    assert torch.equal(found.x[0][:, ~free[0]], x[0][~free[0]].expand(50, -1))
    assert means[0, 0, :, 0].mean() < means[1, 0, :, 3].mean() - 0.05  # the classes differ by 0.2 in every pixel
    unknown = restore(conditional, x, Missing(free), candidates=50, generator=rng)  # the known pixels tell the class
    assert unknown.x.shape == (2, 50, *EVENT)


def test_across_classes_with_and_without_a_tether(rng):
    """Without a tether, a long chain forgets its start; with one, it samples a density in between."""
    x = (MEAN - 0.1).view(1, *EVENT).expand(2000, *EVENT)
    far, near = (across(model(2), x, 1, tether=t, generator=rng).x.flatten(1) for t in (None, 0.1))
    gain = COVARIANCE @ torch.linalg.inv(NOISY)
    agree(far, MEAN + 0.1, gain @ COVARIANCE)
    given = COVARIANCE @ torch.linalg.inv(COVARIANCE + 0.01 * torch.eye(DIM))
    spread = (COVARIANCE - given @ COVARIANCE).diag().sqrt()
    expected = MEAN + 0.1 + given @ (x[0].flatten() - MEAN - 0.1)
    assert ((near.mean(0) - expected).abs() < 5 * spread / math.sqrt(2000)).all()
    film = across(model(2), x[:2], 1, film=True, generator=rng)
    assert film.film.shape[:1] == (2,) and torch.equal(film.film[:, 0], x[:2]) and torch.equal(film.film[:, -1], film.x)


@pytest.mark.parametrize(
    ("degradation", "y", "words"),
    [
        (lambda: GaussianNoise(0.0), None, "must be positive"),
        (lambda: SaltPepper(1.0), None, "between 0 and 1"),
        (lambda: Blur(-1.0), None, "width"),
        (lambda: LowResolution(1), None, "at least 2"),
        (lambda: Missing(torch.ones(2)), None, "boolean"),
        (lambda: SaltPepper(0.1), torch.full((1, *EVENT), 0.5), "no salt or pepper"),
        (lambda: Blur(5.0), torch.rand(1, *EVENT), "leaves nothing"),
        (lambda: LowResolution(3), torch.rand(1, *EVENT), "cannot be cut"),
        (lambda: LowResolution(2), torch.rand(1, *EVENT), "y must be"),
        (lambda: GaussianNoise(0.1), torch.full((1, *EVENT), math.nan), "not finite"),
        (lambda: Missing(torch.tensor([True, False, True])), torch.rand(1, *EVENT), "broadcast"),
        (lambda: Missing(torch.ones(EVENT, dtype=torch.bool)), None, "frees everything"),
        (lambda: Missing(torch.zeros(EVENT, dtype=torch.bool)), None, "frees nothing"),
        (lambda: "blur", torch.rand(1, *EVENT), "a degradation is Missing"),
        (lambda: Blur, torch.rand(1, *EVENT), "a degradation is Missing"),
    ],
)
def test_what_cannot_be_restored(degradation, y, words):
    with pytest.raises(UserError, match=words):
        model().restore(y, degradation=degradation())


def test_what_else_cannot_be_restored(rng):
    x = torch.rand(1, *EVENT)
    for ask, words in (
        (lambda: model().restore(x), "either free"),
        (lambda: model().restore(x, degradation=Blur(0.5), steps=0), "steps must be at least 1"),
        (lambda: replace(model(), spec=DataSpec(EVENT)).restore(x, degradation=Blur(1.0)), "no pictures"),
        (lambda: across(model(), x, 1, generator=rng), "no classes"),
        (lambda: across(model(2), x, 2, generator=rng), "classes 0"),
        (lambda: restore(replace(model(), sampler=None), x, Blur(0.5), generator=rng), "no sampler"),
        (lambda: restore(model(), x, Blur(0.5), candidates=0, generator=rng), "at least one"),
    ):
        with pytest.raises(UserError, match=words):
            ask()


def test_simple_methods(rng):
    train = torch.rand(20, 1, 4, 4, generator=rng)
    free = torch.zeros(1, 4, 4, dtype=torch.bool)
    free[..., 2:] = True
    y = train[[3, 7]].masked_fill(free, 0.5)
    assert torch.equal(nearest_filled(y, free, train), train[[3, 7]])
    filled = mean_filled(y, free, train)
    assert torch.equal(filled[..., :2], y[..., :2]) and torch.equal(
        filled[..., 2:], train.mean(0)[..., 2:].expand(2, 1, 4, 2)
    )
    spot = torch.full((1, 1, 5, 5), 0.5).index_put(
        (torch.tensor(0), torch.tensor(0), torch.tensor(2), torch.tensor(2)), torch.tensor(1.0)
    )
    assert torch.equal(median_filtered(spot, 3), torch.full_like(spot, 0.5))
    ramp = (torch.arange(7.0)[:, None] + 0.3 * torch.arange(7.0)).view(1, 1, 7, 7) / 10  # no pixel equals another
    salted = ramp.clone()
    salted[..., 3, 3] = 1.0
    found = adaptive_median_filtered(salted, 5)
    expected = ramp.clone()
    expected[..., 3, 3] = salted[..., 2:5, 2:5].median()
    assert torch.equal(found[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])  # other pixels inside stay
    torch.testing.assert_close(psnr(torch.full((1, 4), 0.1), torch.zeros(1, 4)), torch.tensor([20.0]))


@dataclass(frozen=True)
class Oracle:
    """Restores the known pictures, with every pixel off by 0.1."""

    truth: torch.Tensor
    offers = frozenset({"chains"})
    classes = 0
    noise = 0.0

    def restore(self, y, *, degradation, steps=None, generator):
        known = (y > 0) & (y < 1) & (y != 0.5)  # not missing, no salt and no pepper
        x = self.truth[((y[:, None] - self.truth) * known[:, None]).square().flatten(2).sum(2).argmin(1)]
        return x + torch.where(x > 0.5, -0.1, 0.1)

    def score(self, x, *, generator):
        return torch.zeros(len(x))


class Reader:
    """A judge whose class is whether the right half is bright."""

    def probabilities(self, x):
        return torch.nn.functional.one_hot((x[..., 4:].mean((1, 2, 3)) > 0.5).long(), 2).float()

    def accuracy(self, x, y):
        return float((self.probabilities(x).argmax(1) == y).float().mean())


def pictures():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 60)
    x = 0.1 * rng.random((60, 1, 8, 8)) + np.where(label, 0.75, 0.15)[:, None, None, None]
    return from_arrays("halves", x.astype(np.float32), label)


def test_the_metrics_of_restoring():
    pytest.importorskip("skimage")
    data = pictures()
    truth = torch.cat([data.values(split) for split in data.splits])
    subject = Subject(Oracle(truth), data, Reader())
    assert not subject.missing(METRICS["inpainting"].needs)
    rows = {(r.system, r.metric, r.split): r.value for r in METRICS["inpainting"].measure(subject)}
    assert rows["untouched", "inpainted_accuracy", "test"] == 1.0
    assert rows["nearest neighbour", "inpainted_accuracy", "test"] == 1.0
    assert rows["mean-fill", "inpainted_accuracy", "test"] < 1.0
    own = rows["model", "inpainted_accuracy", "test"]
    n = len(data.test)
    assert rows["model", "inpainted_lead", "test"] == pytest.approx(own - 1)
    assert rows["model", "inpainted_lead_error", "test"] == pytest.approx(math.sqrt(own * (1 - own) / (n - 1)))
    for split in ("test", "train"):
        assert rows["model", "inpainted_mse", split] == pytest.approx(0.01, rel=1e-3)
        assert rows["model", "inpainted_psnr", split] == pytest.approx(20, abs=0.01)
    noisy = {(r.system, r.metric): r.value for r in METRICS["denoising"].measure(subject)}
    assert noisy["model", "denoised_psnr"] == pytest.approx(20, abs=0.01)
    for name in ("median filter", "adaptive median filter", "total variation"):
        assert noisy[name, "denoised_psnr"] > noisy["degraded", "denoised_psnr"]
        assert noisy[name, "denoised_ssim"] > noisy["degraded", "denoised_ssim"]


def test_class_terms_weigh_what_training_leaves_open(rng):
    """For E(v, y) = -log N(v; m_y, C) + c_y with any c, the terms c_y + log p(y) give the joint density."""
    conditional, left = model(2), torch.tensor([0.0, 40.0]).double()
    inner = conditional.energy
    crooked = replace(conditional, energy=Network(lambda x, y: inner(x, y) + left[y]))
    y = (torch.rand(3000, generator=rng) < 0.25).long()
    v = MEAN + 0.1 * (2 * y[:, None] - 1) + Gaussian(torch.zeros(DIM).double(), COVARIANCE).sample(3000, rng)
    data = from_arrays("shifted", v.clamp(0, 1).view(-1, *EVENT), y)
    data = replace(data, validation=data.train)
    terms = fit_class_terms(crooked, data, rng)
    assert terms[1] - terms[0] == pytest.approx(40 + math.log(0.25 / 0.75), abs=0.5)
    assert fit_class_terms(crooked.given(1), data, rng) == ()
    lost = replace(conditional, energy=Network(lambda x, y: inner(x, y) * torch.nan))
    assert all(map(math.isnan, fit_class_terms(lost, data, rng)))  # so that its scores are refused
    test, labels = data.values(data.test), data.test.take().y
    models = crooked, replace(crooked, fitted=Fitted(terms))
    accuracy = [float((m.logits(test).argmax(1) == labels).float().mean()) for m in models]
    assert accuracy[0] == float((labels == 0).float().mean()) < accuracy[1] - 0.1
    # Of the mixture of both classes, half of the samples are of each; a constant that is left open would take all.
    shares = [
        float(conditional.logits(compose(m, (0, 1), rng)["0 or 1"]).argmax(1).double().mean())
        for m in (crooked, replace(crooked, fitted=Fitted((0.0, 40.0))))
    ]
    error = 5 * math.sqrt(0.25 / 64)  # five standard deviations of the share of 64 draws; the classes overlap a little
    assert shares[0] < 0.5 - error and abs(shares[1] - 0.5) < error
    # Half in doubt and half not: the logits differ by b alone, which is then the logarithm of the ratio of counts.
    labels = torch.tensor([0] * 300 + [1] * 100)
    found = fitted_terms(torch.zeros(400, 2).double(), labels)
    assert float(found[0] - found[1]) == pytest.approx(math.log(3), abs=0.01) and abs(float(found.sum())) < 1e-9
