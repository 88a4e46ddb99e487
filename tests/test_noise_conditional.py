"""Energies over levels of noise: their head, objective, flow, model and recipe."""

import math
from dataclasses import replace

import pytest
import torch

from energybased import HMC, MALA, Classes, EnergyModel, Langevin, Pixels, Reals, Sampler, Underdamped
from energybased.data import DataSpec
from energybased.energies import Gaussian
from energybased.energies.guided import Guided
from energybased.energies.noise_conditional import NoiseConditional
from energybased.errors import UserError
from energybased.models.fitted import Fitted
from energybased.models.noise_conditional import NoiseConditionalModel
from energybased.models.scores import fitted_density, possible_scores, score_norms
from energybased.networks.unet import UNet
from energybased.objectives.denoising import Denoising
from energybased.objectives.denoising_score_matching import DenoisingScoreMatching
from energybased.objectives.distillation import Distillation
from energybased.objectives.objective import Batch
from energybased.sampling.flow import flow, noise_levels

EVENT = (3, 8, 8)


class Nothing(torch.nn.Module):
    """A network of zeros."""

    def forward(self, u, log_sigma):
        return 0 * u[:, None], 0 * log_sigma[:, None]


class Random(torch.nn.Module):
    """A smooth function of u and of the level, with three classes."""

    def forward(self, u, log_sigma):
        shared = torch.sin(u) + log_sigma.view(-1, 1, 1, 1)
        fields = torch.stack([shared, *(torch.cos(u + k) for k in range(3))], 1)
        return fields, torch.stack([k * log_sigma for k in range(3)], 1)


class Linear(torch.nn.Module):
    """Linear fields with symmetric Jacobians, and numbers that do not depend on x, for two classes."""

    def forward(self, u, log_sigma):
        flipped = u.flip(1, 2, 3)
        fields = torch.stack([0.3 * u + 0.2 * flipped, 0.1 * flipped, -0.2 * u], 1)
        return fields, torch.stack([log_sigma, -log_sigma], 1)


CLASSES = {Random: 3, Linear: 2}


def noise_conditional(network, scale=0.5):
    mean = torch.linspace(0, 1, 192).view(EVENT)
    return NoiseConditional(network, mean, torch.tensor(scale), (0.05, 5.0), CLASSES.get(type(network), 0))


def test_it_begins_as_the_gaussian_of_the_noisy_data(rng):
    energy, x = noise_conditional(Nothing()), torch.randn(4, *EVENT, generator=rng)
    exact = Gaussian(energy.mean.flatten(), (0.3**2 + 0.5**2) * torch.eye(192))
    torch.testing.assert_close(energy.at(0.3)(x), -exact.log_prob(x.flatten(1)))


def test_levels_of_rows_are_selected_with_them(rng):
    energy, x = noise_conditional(Random()), torch.randn(4, *EVENT, generator=rng)
    sigma, y = torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.tensor([0, 1, 2, 0])
    whole = energy.at(sigma).given(y)(x)
    rows = torch.tensor([2, 0])
    torch.testing.assert_close(energy.at(sigma).given(y).select(rows)(x[rows]), whole[rows])
    torch.testing.assert_close(energy(x, (y, sigma)), whole)
    alone = [energy.at(float(s)).given(int(k))(x[i : i + 1]) for i, (s, k) in enumerate(zip(sigma, y, strict=True))]
    torch.testing.assert_close(torch.cat(alone), whole)


def test_guidance_is_a_sum_of_energies(rng):
    at, x = noise_conditional(Random()).at(0.3), torch.randn(4, *EVENT, generator=rng)
    y = torch.tensor([0, 1, 2, 0])
    by_class = at.by_class(x, 3)
    expected = 1.7 * by_class.gather(1, y[:, None])[:, 0] - 0.7 * -(-by_class).logsumexp(1)
    torch.testing.assert_close(Guided(at, 3, 1.7).given(y)(x), expected)
    torch.testing.assert_close(Guided(at, 3, 1.0).given(y)(x), at.given(y)(x))


def test_the_flow_of_a_gaussian_ends_at_the_gaussian(rng):
    """The network of zeros is exact for data N(mean, 1/4); Heun's error is below a hundredth of the deviation."""
    energy, levels = noise_conditional(Nothing()), noise_levels(0.05, 5.0, 20)
    start = energy.mean + (25.0 + 0.25) ** 0.5 * torch.randn(200, *EVENT, generator=rng)
    *_, x = flow(energy.at, start, levels)
    expected = energy.mean + (start - energy.mean) * ((0.05**2 + 0.25) / 25.25) ** 0.5
    assert (x - expected).abs().max() < 0.01 * 0.5 * 5


@pytest.mark.parametrize("scale", [0.2, 1.0])
def test_the_loss_of_gaussian_data_is_the_best(scale, rng):
    """For N(0, scale^2), the energy is exact: no denoiser has a smaller error than 1, and dE/dsigma is exact too."""
    energy = NoiseConditional(Nothing(), torch.zeros(EVENT), torch.tensor(scale), (0.05, 5.0))
    x = scale * torch.randn(4000, *EVENT, generator=rng)
    found = DenoisingScoreMatching(time_score=1.0).step({"energy": energy}, {}, Batch(x), rng).metrics
    # The error is the mean square of 4,000 x 192 normal numbers, whose standard error is (2 / 768,000)^(1/2).
    assert float(found["denoising"]) == pytest.approx(1.0, abs=5 * math.sqrt(2 / (4000 * 192)))
    assert 0 < float(found["time_score"]) < 1.1


def test_fields_are_gradients_where_eulers_identity_holds(rng):
    energy, x = noise_conditional(Linear()), torch.randn(4, *EVENT, generator=rng)
    sigma, y = torch.tensor([0.1, 0.5, 1.0, 4.0]), torch.tensor([0, 1, 1, 0])
    field, energies = energy.with_field(x, sigma, y)
    value, gradient = energy.at(sigma).given(y).value_and_grad(x)
    torch.testing.assert_close(energies.gather(1, y[:, None])[:, 0], value)
    torch.testing.assert_close(field, gradient)


@pytest.mark.parametrize("objective", [Denoising(), Distillation()])
def test_a_denoiser_whose_field_is_the_gradient_has_the_loss_of_its_energy(objective, rng):
    """Where Euler's identity holds, it is that of score matching; a distilled energy has nothing to learn."""
    energy, x, y = noise_conditional(Linear()), torch.randn(4, *EVENT, generator=rng), torch.tensor([0, 1, 1, 0])
    batch, parts = Batch(x, y), {"energy": energy}

    def loss(of):
        rng = torch.Generator().manual_seed(0)
        return float(of.step(parts, of.init(parts, batch, rng), batch, rng).metrics["denoising"])

    expected = 0.0 if isinstance(objective, Distillation) else loss(DenoisingScoreMatching())
    assert loss(objective) == pytest.approx(expected, rel=1e-4, abs=1e-8)


def test_a_denoiser_has_no_time_score():
    with pytest.raises(UserError, match="time score"):
        Denoising(time_score=1.0)


def test_the_objective_names_what_is_missing(rng):
    energy, x = noise_conditional(Random()), torch.rand(4, *EVENT, generator=rng)
    with pytest.raises(UserError, match="no class labels"):
        DenoisingScoreMatching().step({"energy": energy}, {}, Batch(x), rng)
    with pytest.raises(UserError, match="levels of noise"):
        DenoisingScoreMatching().step({"energy": torch.nn.Linear(2, 1)}, {}, Batch(x), rng)
    for weight in (math.nan, "2"):
        with pytest.raises(UserError, match="finite number"):
            Guided(energy.at(1.0), 3, weight)


@pytest.mark.parametrize("sigma", [6.0, 0.0, math.nan, torch.tensor([1.0, 6.0])])
def test_levels_outside_the_range_are_refused(sigma):
    with pytest.raises(UserError, match=r"sigma must be in 0\.05 \.\.\. 5, the range of the training"):
        noise_conditional(Nothing()).at(sigma)


@pytest.mark.parametrize("sigma", ["1", torch.ones(2, 1), None])
def test_levels_are_numbers(sigma):
    with pytest.raises(UserError, match="sigma must be a number"):
        noise_conditional(Nothing()).at(sigma)


@pytest.mark.parametrize("shape", [(3, 16, 16), (192,), (1, 8, 8), (3, 8, 1)])
def test_pictures_of_another_size_are_refused(shape, rng):
    """The last two could be taken for pictures of the energy's size, of which entries are repeated."""
    with pytest.raises(UserError, match=r"x must be \(batch, 3, 8, 8\), got \(2, "):
        noise_conditional(Nothing()).at(1.0)(torch.rand(2, *shape, generator=rng))


@pytest.mark.parametrize(
    "returned",
    [
        lambda u, log_sigma: u[:, None],
        lambda u, log_sigma: (u, log_sigma[:, None]),
        lambda u, log_sigma: (u[:, None], log_sigma),
    ],
    ids=["no numbers", "no outputs", "flat numbers"],
)
def test_what_a_network_returns_is_checked(returned, rng):
    class Network(torch.nn.Module):
        def forward(self, u, log_sigma):
            return returned(u, log_sigma)

    with pytest.raises(UserError, match=r"must return a tuple of \(2, 1, 3, 8, 8\) and \(2, 1\), got"):
        noise_conditional(Network()).at(1.0)(torch.rand(2, *EVENT, generator=rng))


def test_a_cross_entropy_needs_classes(rng):
    """Without classes it is left out, as in recipes whose data may have none."""
    energy, batch = noise_conditional(Nothing()), Batch(torch.rand(4, *EVENT, generator=rng), torch.arange(4))
    found = DenoisingScoreMatching(cross_entropy=1.0).step({"energy": energy}, {}, batch, rng)
    assert "cross_entropy" not in found.metrics


def test_models_say_which_levels_they_have(rng):
    energy, spec = noise_conditional(Nothing()), DataSpec(EVENT, Reals(), ())
    model = NoiseConditionalModel(energy.at(0.1), spec, None, 0.1, (), levels=energy)
    assert model.at(0.3).noise == 0.3
    with pytest.raises(UserError, match="one level at a time"):
        model.at(torch.ones(2))
    with pytest.raises(UserError, match=r"this model has one level of noise, 0\.1"):
        EnergyModel(energy.at(0.1), spec, noise=0.1).at(0.3)
    for n in (0, -1):
        with pytest.raises(UserError, match="at least 1"):
            model.sample(n)


def test_a_u_net_begins_at_zero_and_learns(rng):
    x = torch.rand(64, 1, 1, 1, generator=rng).expand(-1, *EVENT)  # flat pictures: the best loss is near 1 / 192
    torch.manual_seed(0)
    energy = NoiseConditional.fit(x, UNet(EVENT, (8, 16), 1, 2, 4, 3), (0.05, 5.0), 3)
    parts, batch = {"energy": energy}, Batch(x, torch.arange(64) % 3)
    objective = DenoisingScoreMatching(cross_entropy=0.01, time_score=0.001)
    first = objective.step(parts, {}, batch, rng)
    assert float(first.metrics["cross_entropy"]) == pytest.approx(math.log(3))
    optimizer = torch.optim.Adam(energy.parameters(), 5e-3)
    losses = []
    for _ in range(50):
        result = objective.step(parts, {}, batch, rng)
        optimizer.zero_grad()
        result.losses["energy"].backward()
        optimizer.step()
        losses.append(float(result.metrics["denoising"]))
    assert sum(losses[-10:]) / 10 < 0.8
    with pytest.raises(UserError, match="multiples of 4"):
        UNet((3, 10, 10), (8, 16), 1, 2)


def test_a_model_in_another_precision_samples_and_restores(rng):
    energy = NoiseConditional(Random(), torch.zeros(EVENT), torch.tensor(0.5), (0.05, 5.0), 3)
    spec = DataSpec(EVENT, Pixels(), (Classes(3),))
    sampler = Sampler(Underdamped(0.07, 0.7), length=2)
    model = NoiseConditionalModel(
        energy.at(0.1), spec, sampler, 0.1, spec.conditions, levels=energy, flow_levels=3, guidance=1.5
    )
    x, free = torch.rand(4, *EVENT, generator=rng), torch.arange(8) >= 4
    for given in (model, model.given(torch.tensor([0, 1, 2, 0]))):
        single, double = (
            one.sample(4, generator=torch.Generator().manual_seed(0)) for one in (given, given.to(dtype=torch.float64))
        )
        assert double.dtype == torch.float64
        torch.testing.assert_close(single, double.float(), atol=1e-3, rtol=0)
        restored = given.restore(x, free, generator=rng)
        assert torch.equal(restored[..., :4], x[..., :4]) and not torch.equal(restored, x)


def test_multiscale_scores_are_the_lengths_of_scores_at_all_levels(rng):
    """Those of a Gaussian are known, and farther data are rarer under the mixture that is fitted to them."""
    energy = noise_conditional(Nothing())
    spec = DataSpec(EVENT, Reals(), ())
    model = NoiseConditionalModel(energy.at(0.1), spec, None, 0.1, (), levels=energy, score_by="multiscale scores")
    x = energy.mean + 0.5 * torch.randn(2000, *EVENT, generator=rng)
    found = score_norms(model, x)
    assert found.shape == (2000, 10)
    for column, sigma in ((0, 0.05), (9, 4 * 0.5)):
        expected = sigma * (x - energy.mean).flatten(1).norm(dim=1) / (sigma**2 + 0.25)
        torch.testing.assert_close(found[:, column], expected.log())
    assert "multiscale scores" in possible_scores(model)
    fitted = replace(model, fitted=Fitted(**fitted_density(score_norms, model, x, rng)))
    near, far = fitted.score(x), fitted.score(energy.mean + 1.5 * (x - energy.mean))
    assert far.min() > near.max()  # lengths vary by a twentieth
    with pytest.raises(UserError, match="over levels of noise"):
        EnergyModel(energy.at(0.1), spec, score_by="multiscale scores").score(x)


def gaussian_model(scale=0.5):
    """A model whose energy is that of Gaussian data, `(3, 8, 8)`, at all levels."""
    energy = noise_conditional(Nothing(), scale)
    sampler = Sampler(Underdamped(0.07, 0.7), length=5)
    spec = DataSpec(EVENT, Reals())
    return NoiseConditionalModel(energy.at(0.1), spec, sampler, 0.1, levels=energy, flow_levels=20)


def test_restored_gaussians_have_their_standard_deviation(rng):
    """Entries are independent, so the free ones have the deviation of the data, whatever is known of the others.

    States that went on to the next level as they were would have the noise of the level above.
    """
    model, free = gaussian_model(), torch.arange(8) >= 4
    x = model.levels.mean + 0.5 * torch.randn(100, *EVENT, generator=rng)
    found = model.restore(x, free, steps=1, generator=rng)
    assert torch.equal(found[..., :4], x[..., :4])
    spread = (found - model.levels.mean)[..., 4:].std()
    assert float(spread) == pytest.approx(0.5, abs=0.02)  # 9,600 entries: a standard error of 0.004


def test_redrawn_examples_are_as_far_as_their_level(rng):
    """The flow of a Gaussian is linear: v - mean shrinks by the ratio of the standard deviations of both levels."""
    model = gaussian_model()
    x = model.levels.mean + 0.5 * torch.randn(100, *EVENT, generator=rng)
    for sigma in (0.2, 2.0):
        found = model.redraw(x, sigma, steps=40, generator=rng)
        kept = 0.5**2 / (0.5**2 + sigma**2)  # the flow to 0 keeps 0.5 / s of v; x is 0.5 of the s that v has
        slope = ((found - model.levels.mean) * (x - model.levels.mean)).mean() / (x - model.levels.mean).square().mean()
        assert float(slope) == pytest.approx(kept**0.5, abs=0.03)
    film = model.redraw(x[:3], 0.5, steps=6, film=True, generator=torch.Generator().manual_seed(0))
    assert film.shape == (3, 6, *EVENT)
    last = model.redraw(x[:3], 0.5, steps=6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(film[:, -1], last)
    assert model.redraw(x[:3], None, generator=rng).shape == (3, *EVENT)
    for sigma in (0.05, 6.0, math.nan, "0.5"):
        with pytest.raises(UserError, match="the level must be in"):
            model.redraw(x, sigma, generator=rng)


def test_kernels_keep_their_temperature_at_other_levels():
    model = replace(gaussian_model(), sampler=Sampler(Langevin.overdamped(0.01), length=5))
    kernel = model.at(1.0).sampler.kernel
    assert kernel.temperature == pytest.approx(1.0)
    assert kernel.noise_scale == pytest.approx(10 * model.sampler.kernel.noise_scale)


def test_a_composition_of_a_model_that_was_given_its_class_keeps_it(rng):
    energy = noise_conditional(Random())
    spec = DataSpec(EVENT, Reals(), (Classes(3),))
    sampler = Sampler(Underdamped(0.07, 0.7), length=2)
    model = NoiseConditionalModel(energy.at(0.1), spec, sampler, 0.1, spec.conditions, levels=energy, flow_levels=3)
    x = torch.randn(2, *EVENT, generator=rng)
    twice = model.given(1).composed(lambda e: 2 * e)
    torch.testing.assert_close(twice.at(0.3).energies(x), 2 * model.given(1).at(0.3).energies(x))
    assert twice.sample(2, generator=rng).shape == (2, *EVENT)


def test_class_numbers_that_the_energy_does_not_know(rng):
    energy = noise_conditional(Random()).at(0.1)
    with pytest.raises(UserError, match=r"knows the classes 0 ... 2 alone"):
        energy.given(3)(torch.randn(2, *EVENT, generator=rng))


def test_restoring_in_no_steps_has_a_sentence(rng):
    model = gaussian_model()
    x = torch.randn(2, *EVENT, generator=rng)
    with pytest.raises(UserError, match="steps must be at least 1"):
        model.restore(x, torch.arange(8) >= 4, steps=0)
    with pytest.raises(UserError, match="whole number"):
        model.sample(2, steps=2.5)
    with pytest.raises(UserError, match="rows"):
        replace(model, rows=3).redraw(x, 0.5)


@pytest.mark.parametrize("kernel", [Langevin.overdamped(0.03), MALA(0.03), HMC(0.03, 2)])
def test_annealed_chains_draw_from_the_lowest_level(kernel, rng):
    model = replace(gaussian_model(), sampler=Sampler(kernel, length=3), flow_levels=60)  # for the bias of Euler steps
    x = model.anneal(100, generator=rng)
    assert x.shape == (100, *EVENT)
    assert float((x - model.levels.mean).std()) == pytest.approx(0.5, abs=0.02)  # 19,200 entries: an error of 0.003
    with pytest.raises(UserError, match="steps must be at least 1"):
        model.anneal(2, steps=0)
    with pytest.raises(UserError, match="no sampler"):
        replace(model, sampler=None).anneal(2)
