"""Priors learned in stages: against densities that are known, and the laws of a stage."""

import math
import shutil
import statistics
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from energybased import MALA, Gaussian, IsotropicMixture, Langevin, StandardNormal, UserError
from energybased.latent import (
    LatentStage,
    MomentMatching,
    Posterior,
    StagedPrior,
    StageRatio,
    Telescope,
    fit_staged_prior,
)
from energybased.latent.objectives.stage_ratio import CHANCE
from energybased.models import LatentModel
from energybased.networks import BatchedMLP, dense_encoder, dense_generator
from energybased.objectives import Batch
from energybased.sampling.annealed import anneal
from energybased.training import Adam, Loop, Phase, Run, Settings
from energybased.training.batches import as_batches
from energybased.training.checkpoint import load_group
from energybased.training.state import TrainState


def blank(dim=2, count=3):
    return StagedPrior(StandardNormal(dim), BatchedMLP(dim, (16,), count))


def taught(k, count=3):
    """A prior whose first k stages count, with weights that are not zero."""
    prior = blank(count=count)
    torch.manual_seed(0)
    torch.nn.init.normal_(prior.logits.weights[-1], std=0.3)
    prior.active[:k] = 1
    return prior


def test_the_prior_is_its_base_times_its_ratios(rng):
    prior, z = taught(2), torch.randn(6, 2, generator=rng)
    sum_of_parts = prior.base + prior.stages[0] + prior.stages[1]
    values, grad = prior.value_and_grad(z)
    expected, its_grad = sum_of_parts.value_and_grad(z)
    torch.testing.assert_close(values, expected)
    torch.testing.assert_close(grad, its_grad)
    torch.testing.assert_close(prior.log_prob(z), StandardNormal(2).log_prob(z) + prior.log_ratio(z))
    assert len(prior.stages) == 2
    torch.testing.assert_close(prior.truncated(2)(z), values)
    assert prior.truncated(0) is prior.base


def test_a_stage_begins_at_chance_and_leaves_the_prior_as_it_was(rng):
    prior, x = taught(1), torch.randn(32, 2, generator=rng)
    with torch.no_grad():
        prior.logits.weights[-1][1:] = 0
    before = prior(x)
    stage = StageRatio(1, MALA(0.3), persistent_chains=64)
    state = stage.init({"prior": prior}, Batch(x), rng)
    assert state["x"].shape == (64, 2)
    result = stage.step({"prior": prior}, state, Batch(x), rng)
    assert float(result.metrics["loss"]) == pytest.approx(CHANCE, abs=1e-6)
    torch.testing.assert_close(prior(x), before)


def test_a_stage_goes_on_with_the_layers_of_the_one_before(rng):
    prior = taught(1)
    StageRatio(1, MALA(0.3), persistent_chains=64).init({"prior": prior}, Batch(torch.randn(32, 2, generator=rng)), rng)
    for layers in (prior.logits.weights, prior.logits.biases):
        assert all(torch.equal(layer[1], layer[0]) for layer in list(layers)[:-1])
        assert not any(torch.equal(layer[2], layer[1]) for layer in list(layers)[:-1])


def test_the_average_begins_anew_with_the_stage(tmp_path):
    """Late in a run, one that went on would for long be the layers as they were made, and zero."""
    loop = staged_loop()
    loop.phases[0] = replace(loop.phases[0], steps=100)
    loop.state.averages["prior"]["logits.weights.1"][1] = 0
    run = Run.create(tmp_path / "run", {})
    loop.fit(run)
    run.release()
    (first, last), average = loop.state.parts["prior"].logits.weights, loop.state.averages["prior"]
    torch.testing.assert_close(average["logits.weights.0"][1], first[1].detach(), atol=0.05, rtol=0)
    assert average["logits.weights.1"][1].norm() > 0.6 * last[1].norm() > 0


def test_only_the_new_stage_learns(rng):
    prior, x = taught(1), torch.randn(32, 2, generator=rng)
    stage = StageRatio(1, MALA(0.3), persistent_chains=64)
    state = stage.init({"prior": prior}, Batch(x), rng)
    stage.step({"prior": prior}, state, Batch(x), rng).losses["prior"].backward()
    for p in prior.logits.parameters():
        assert p.grad[1].any() and not p.grad[0].any() and not p.grad[2].any()


def test_the_first_stage_draws_from_the_base(rng, monkeypatch):
    monkeypatch.setattr("energybased.latent.objectives.stage_ratio.advance", None)
    prior, stage = blank(), StageRatio(0, MALA(0.3))
    state = stage.init({"prior": prior}, Batch(torch.zeros(4, 2)), rng)
    negatives = stage.negatives(prior, state, 20_000, rng)
    assert negatives.mean(0).abs().max() < 5 / math.sqrt(20_000)


def test_a_pool_stays_and_short_runs_begin_anew(rng):
    prior, x = taught(1), torch.randn(8, 2, generator=rng)
    pool = StageRatio(1, MALA(0.3), steps=0, persistent_chains=16)
    state = pool.init({"prior": prior}, Batch(x), rng)
    before = state["x"].clone()
    drawn = pool.negatives(prior, state, 8, rng)
    assert torch.equal(state["x"], before) and all((before == row).all(1).any() for row in drawn)
    state["x"].fill_(100)
    short = replace(pool, steps=2, restart=1.0)
    assert short.negatives(prior, state, 8, rng).abs().max() < 50
    with pytest.raises(UserError, match="without steps"):
        replace(pool, restart=0.5)


def test_a_gaussian_is_one_ratio():
    """log N(1, 1)/N(0, 1) = z - 1/2."""
    generator = torch.Generator().manual_seed(0)
    draw = lambda n: 1 + torch.randn(n, 1, generator=generator)  # noqa: E731
    prior = fit_staged_prior(draw, 1, stages=1, network=(32,), budget=1000, generator=generator)
    z = torch.linspace(-1.5, 2, 36)[:, None]
    assert float((prior.log_ratio(z) - (z.squeeze(1) - 0.5)).abs().max()) < 0.15


def test_generator_and_ratio_learn_from_their_own_losses(rng):
    """The posterior is that under the stages before: the running stage is not in it."""
    prior, generator = taught(1), dense_generator(2, (8,), (1, 2, 2))
    parts, x = {"prior": prior, "generator": generator}, torch.rand(16, 1, 2, 2, generator=rng)
    joint = LatentStage(StageRatio(1, MALA(0.3), persistent_chains=64), Posterior(0.5, steps=3), rows=16)
    state = joint.init(parts, Batch(x), rng)
    posterior = joint.posterior.energy(prior.truncated(1), generator, x)
    z = torch.randn(16, 2, generator=rng)
    expected = prior.base(z) - prior.logits(z)[:, 0] + 2 * (x - generator(z)).square().flatten(1).sum(1)
    torch.testing.assert_close(posterior(z), expected)
    losses = joint.step(parts, state, Batch(x), rng).losses
    assert set(losses) == {"prior", "generator"}
    for name, other in (("prior", generator), ("generator", prior.logits)):
        grads = torch.autograd.grad(losses[name], list(other.parameters()), retain_graph=True, allow_unused=True)
        assert all(grad is None for grad in grads)


@pytest.mark.filterwarnings("ignore:the positives cannot")
def test_stages_are_expectation_maximisation():
    """x = 2 z + 1 + noise, z ~ N(0, 1): with the exact posterior, likelihood grows from stage to stage.

    The data are N(3, 1.5^2); the prior that is best is N(1, (1.5^2 - 0.5^2)/4), by KL(N(3, 1.5^2), N(1, 4.25)) nats.
    """
    generator = torch.Generator().manual_seed(0)
    prior, noise = StandardNormal(1), 0.5
    x = 3 + 1.5 * torch.randn(4000, 1, generator=generator)
    z = torch.linspace(-6, 8, 2801)[:, None]
    log_likelihoods = []
    for _ in range(4):
        log_prior = -prior(z) - torch.logsumexp(-prior(z), 0)
        joint = log_prior - 0.5 * ((x - 2 * z.T - 1) / noise).square()  # (data, grid)
        log_likelihoods.append(float(torch.logsumexp(joint, 1).mean()))
        cumulative = joint.softmax(1).cumsum(1)
        drawn = torch.searchsorted(cumulative, torch.rand(len(x), 1, generator=generator)).clamp(max=len(z) - 1)
        positives = z[drawn.squeeze(1)]
        stage = fit_staged_prior(
            positives, 1, stages=1, base=Gridded(prior, z), network=(32,), budget=250, generator=generator
        )
        prior = prior + stage.stages[0] if stage.stages else prior
    error = 1.0 / math.sqrt(len(x))
    assert all(b > a - error for a, b in pairwise(log_likelihoods))
    gain = 0.5 * ((1.5**2 + 2**2) / 4.25 - 1 - math.log(1.5**2 / 4.25))
    assert log_likelihoods[-1] - log_likelihoods[0] > 0.9 * gain - error


class Gridded(StandardNormal):
    """A density on the line that is drawn from by its values on a grid."""

    def __init__(self, energy, grid):
        super().__init__(1)
        self.energy, self.grid = energy, grid

    def forward(self, x, y=None):
        return self.energy(x)

    def sample(self, n, generator=None):
        p = (-self.energy(self.grid)).softmax(0).detach()
        return self.grid[torch.multinomial(p, n, replacement=True, generator=generator)]


@pytest.mark.parametrize("few", [False, True])
def test_samples_of_the_base_teach_nothing(few):
    """Neither drawn anew nor a hundred of them, again and again, which can be learned by heart."""
    generator = torch.Generator().manual_seed(0)
    draw = lambda n: torch.randn(n, 2, generator=generator)  # noqa: E731
    positives = draw(100) if few else draw
    with pytest.warns(UserWarning, match="no stage was learned"):
        prior = fit_staged_prior(positives, 2, stages=2, network=(64, 64), budget=300, generator=generator)
    assert prior.stages == [] and not prior.log_ratio(draw(5)).any()


def test_two_stages_on_a_base_of_ones_own():
    """From one mixture to another, and their log-ratio; its mean over the target is their divergence."""
    base = IsotropicMixture(torch.tensor([[-1.0], [1.0]]), 0.6)
    target = IsotropicMixture(torch.tensor([[-2.0], [2.0]]), 0.3)
    generator = torch.Generator().manual_seed(0)
    draw = lambda n: target.sample(n, generator)  # noqa: E731
    prior = fit_staged_prior(draw, 1, stages=2, base=base, network=(32, 32), budget=200, generator=generator)
    z = torch.linspace(-6, 6, 2401)[:, None]
    p, dz = target.log_prob(z).exp(), 12 / 2400
    torch.testing.assert_close(prior.log_ratio(z), prior.log_prob(z) - base.log_prob(z))
    one = (prior.log_prob(z).exp() * dz).sum()
    # The error comes from four groups: one in a thousand of Student's t with three degrees of freedom is beyond 12.9.
    assert float(one) == pytest.approx(1, abs=12.9 * prior.log_z(generator=generator).error)
    left = (p * (target.log_prob(z) - prior.log_prob(z)) * dz).sum()
    whole = (p * (target.log_prob(z) - base.log_prob(z)) * dz).sum()
    assert float(left) < 0.1 * float(whole)


def test_a_prior_in_double_precision(rng):
    prior = StagedPrior(StandardNormal(2), BatchedMLP(2, (8,), 1))
    prior.active.fill_(1)
    assert prior.double().sample(3, rng).dtype == torch.float64


def test_a_fit_to_drawn_data_can_go_back(tmp_path):
    """What draws has no position to go to; everything else has."""
    batches = as_batches(lambda n: torch.randn(n, 2), 8, 0)
    state = TrainState.begin({"prior": blank()}, Adam(1e-3), [batches], 0)
    state.restore(state.snapshot())
    assert state.batches[0].next().x.shape == (8, 2)


@pytest.mark.parametrize(
    ("positives", "words"),
    [
        (torch.zeros(0, 2), "two positives"),
        (torch.zeros(8, 2), "constant"),
        (torch.randn(8, 3), "positives are"),
        (torch.full((8, 2), torch.nan), "finite"),
        ([[0.0, 1.0]], "positives are a tensor"),
        (lambda n: torch.randn(7, 2), "drew 7"),
    ],
)
def test_bad_positives_are_named(positives, words):
    with pytest.raises(UserError, match=words):
        fit_staged_prior(positives, 2)


def test_positives_that_were_not_reached_are_named_and_randomness_is_kept():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with pytest.warns(UserWarning, match="most positives lie where the prior has no samples"):
        fit_staged_prior(
            lambda n: 100 * torch.randn(n, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(n)),
            2,
            stages=1,
            network=(8,),
            budget=101,
            generator=torch.Generator().manual_seed(0),
        )
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("stages", [0, True, "many"])
def test_no_stages_are_refused(stages):
    with pytest.raises(UserError, match="stages"):
        fit_staged_prior(torch.randn(8, 2), 2, stages=stages)


def test_a_base_of_another_dimension_is_named():
    with pytest.raises(UserError, match="the base is over 3"):
        fit_staged_prior(torch.randn(8, 2), 2, base=StandardNormal(3))
    with pytest.raises(UserError, match="drawn from"):
        fit_staged_prior(torch.randn(8, 2), 2, base=torch.randn(8, 2))
    with pytest.raises(UserError, match="widths"):
        fit_staged_prior(torch.randn(8, 2), 2, network=128)


@pytest.mark.parametrize(("dim", "target"), [(500, None), (20, 3.0)])
def test_annealing_brackets_a_known_log_z(dim, target, rng):
    """Forwards below, backwards above; from a standard normal to a Gaussian, and to a mixture of two."""
    base = StandardNormal(dim)
    if target is None:
        end = Gaussian(torch.full((dim,), 0.1), torch.diag(torch.linspace(0.5, 1.5, dim)))
    else:
        means = torch.zeros(2, dim)
        means[:, 0] = torch.tensor([-target, target])
        end = IsotropicMixture(means, 1.0)
    truth, kernel = float(end.log_z - base.log_z), MALA(0.3)
    forward = anneal(base, [end - base], base.sample(200, rng), kernel, 200, generator=rng).estimate()
    backward = anneal(end, [base - end], end.sample(200, rng), kernel, 200, generator=rng).estimate()
    slack = 4 * max(forward.error, backward.error)
    assert forward.value - slack < truth < -backward.value + slack
    assert -backward.value - forward.value < 1


def test_resampling_keeps_weights_and_estimate(rng):
    """Eight runs say how far off their means may be: five standard errors, for they are few."""
    end = IsotropicMixture(torch.tensor([[-3.0, 0.0], [3.0, 0.0]]), 0.5, torch.tensor([1.0, 3.0]))
    base = StandardNormal(2)
    start = lambda: base.sample(500, rng)  # noqa: E731
    runs = [anneal(base, [end - base], start(), MALA(0.3), steps=2, generator=rng, target_ess=0.97) for _ in range(8)]
    assert all(run.resampled and math.isnan(run.estimate().error) for run in runs)
    heavy = [float((run.resample(rng)[:, 0] > 0).float().mean()) for run in runs]
    for found, truth in (
        ([run.estimate().value for run in runs], float(end.log_z - base.log_z)),
        (heavy, 0.75),
    ):
        assert statistics.mean(found) == pytest.approx(truth, abs=5 * statistics.stdev(found) / math.sqrt(8))


def linear(sigma=0.3):
    """x = W z + b with noise, under N(0, I): its density, posterior mean and all else are known."""
    torch.manual_seed(0)
    generator = (
        torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Unflatten(1, (1, 2, 2))).eval().requires_grad_(False)
    )
    model = LatentModel(generator, StagedPrior(StandardNormal(2), BatchedMLP(2, (4,), 1)), sigma, steps=400)
    weight, bias = generator[0].weight, generator[0].bias
    density = torch.distributions.MultivariateNormal(bias, weight @ weight.T + sigma**2 * torch.eye(4))
    return model, weight, bias, density


def test_the_likelihood_of_a_linear_model_is_bounded_from_below():
    """With a hundred chains an example it is nearly tight: within five standard errors over twenty examples."""
    model, _, _, density = linear()
    x = density.sample((20,))
    off = model.log_prob(x.reshape(20, 1, 2, 2), particles=100) - density.log_prob(x)
    assert float(off.std()) < 0.2
    assert abs(float(off.mean())) < 5 * float(off.std()) / math.sqrt(20)


def test_inference_samples_the_posterior_of_a_linear_model():
    """Means over 1,000 chains of one example, within five standard errors of the posterior's and of its step."""
    model, weight, bias, density = linear()
    x = density.sample((1,))
    precision = torch.eye(2) + weight.T @ weight / model.sigma**2
    mean = torch.linalg.solve(precision, weight.T @ (x[0] - bias) / model.sigma**2)
    z = model.sample_posterior(x.reshape(1, 1, 2, 2).expand(1000, -1, -1, -1))
    spread = torch.linalg.inv(precision).diag().sqrt()
    assert ((z.mean(0) - mean).abs() < 5 * spread / math.sqrt(1000) + 0.02).all()
    torch.testing.assert_close(z.std(0), spread, rtol=0.12, atol=0)


def test_restoring_asks_the_known_pixels_alone():
    model, _, _, density = linear(0.1)
    x = density.sample((6,)).reshape(6, 1, 2, 2)
    free = torch.tensor([[[True, False], [False, False]]])
    spoilt = x.clone()
    spoilt[:, 0, 0, 0] = 100.0
    restore = lambda x: model.restore(x, free, steps=400, generator=torch.Generator().manual_seed(0))  # noqa: E731
    restored = restore(spoilt)
    assert torch.equal(restored[:, 0, 1], x[:, 0, 1]) and torch.equal(restored, restore(x))
    assert float((restored - x)[:, 0, 0, 0].abs().mean()) < float(x[:, 0, 0, 0].std())


def test_a_latent_model_scores_what_it_was_not_made_for_higher():
    model, _, _, density = linear()
    ordinary, strange = density.sample((50,)).reshape(50, 1, 2, 2), 3 * torch.randn(50, 1, 2, 2)
    assert float((model.score(ordinary)[:, None] < model.score(strange)).float().mean()) > 0.9


def test_scores_by_the_joint_and_by_the_ratio_differ_by_the_base():
    model = replace(linear()[0], steps=20)
    model.prior.active[:1] = 1
    torch.nn.init.normal_(model.prior.logits.weights[-1], std=0.3)
    x = torch.rand(6, 1, 2, 2)
    seed = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    bases = [model.prior.base(z) for z in model.posterior_samples(x, generator=seed())]
    against = replace(model, score_by="ratio")
    difference = model.score(x, generator=seed()) - against.score(x, generator=seed())
    torch.testing.assert_close(difference, torch.stack(bases).mean(0), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "x",
    [
        torch.rand(2, 1, 3, 3),
        torch.rand(0, 1, 2, 2),
        torch.full((2, 1, 2, 2), torch.nan),
        torch.zeros(2, 1, 2, 2, dtype=torch.uint8),
    ],
)
def test_examples_that_are_no_pictures_of_the_model_are_named(x):
    with pytest.raises(UserError, match=r"x must|x holds"):
        linear()[0].score(x)


def test_what_a_latent_model_cannot_do_is_named():
    model, x = linear()[0], torch.rand(2, 1, 2, 2)
    for ask, words in (
        (lambda: replace(model, sigma=-1.0), "sigma"),
        (lambda: replace(model, steps=-1), "steps"),
        (lambda: model.restore(x, free=torch.ones(2, 2)), "boolean"),
        (lambda: model.restore(x, free=torch.eye(3, dtype=torch.bool)), "broadcast"),
        (lambda: model.log_prob(x, particles=0), "particles"),
        (lambda: model.prior.sample(-1), "n must be"),
        (lambda: StagedPrior(StandardNormal(3), BatchedMLP(2, (4,), 1)), "the networks over 2"),
    ):
        with pytest.raises(UserError, match=words):
            ask()


def test_the_pool_keeps_the_latest(rng):
    stage = LatentStage(StageRatio(0, MALA(0.3)), pool=4, rows=64)
    state = {"pool": torch.zeros(4, 1), "pooled": torch.tensor(0)}
    stage.keep(state, torch.tensor([[1.0], [2.0]]))
    assert set(stage.pooled(state, Batch(torch.zeros(1, 1)), rng).x.flatten().tolist()) == {1.0, 2.0}
    stage.keep(state, torch.tensor([[3.0], [4.0], [5.0]]))
    assert set(stage.pooled(state, Batch(torch.zeros(1, 1)), rng).x.flatten().tolist()) == {2.0, 3.0, 4.0, 5.0}


def test_between_visits_to_the_posterior_the_ratio_learns_alone(rng):
    prior = blank()
    parts, x = {"prior": prior, "generator": dense_generator(2, (8,), (1, 2, 2))}, torch.rand(8, 1, 2, 2, generator=rng)
    stage = LatentStage(StageRatio(0, MALA(0.3)), Posterior(0.5, steps=2), ratio_updates_per_draw=3)
    state, learned = stage.init(parts, Batch(x), rng), []
    for _ in range(6):
        result = stage.step(parts, state, Batch(x), rng)
        state, metrics = result.state, result.metrics
        learned.append("generator" in result.losses)
        assert "prior" in result.losses and metrics["mse"] > 0
    assert learned == [True, False, False, True, False, False]


def test_a_matched_base_has_the_moments_of_the_posterior(rng):
    """x = 2 z + noise of 0.5 with x ~ N(3, 1): under N(0, 1), z is N(0.47 x, 0.24^2) for each x."""
    base = Gaussian(torch.zeros(1), torch.eye(1))
    parts = {"prior": StagedPrior(base, BatchedMLP(1, (8,), 1)), "generator": Doubled()}
    matched = MomentMatching(Posterior(0.5, MALA(0.3), steps=100))
    n, visits = 500, 8
    state = matched.init(parts, Batch(torch.zeros(n, 1)), rng)
    for _ in range(visits):
        state = matched.step(parts, state, Batch(3 + torch.randn(n, 1, generator=rng)), rng).state
    slope, variance = 2 / 4.25, 0.25 / 4.25
    error = 4 / math.sqrt(n * visits)
    expected = slope**2 + variance
    assert float(base.mean) == pytest.approx(3 * slope, abs=error * math.sqrt(expected))
    assert float(base.scale) ** 2 == pytest.approx(expected, rel=math.sqrt(2) * error)


def test_a_matched_base_outlives_its_phase(tmp_path):
    """It is no weight that learns, and is in the averages all the same, with which the next phase begins."""
    base = Gaussian(torch.zeros(2), torch.eye(2))
    prior, posterior = StagedPrior(base, BatchedMLP(2, (8,), 1)), Posterior(0.5, steps=3)
    parts = {"prior": prior, "generator": dense_generator(2, (8,), (1, 2, 2))}
    stage = LatentStage(StageRatio(0, MALA(0.3)), posterior, joint=False)
    phases = [
        Phase(MomentMatching(posterior), 3, restart_from_ema=("prior", "generator")),
        Phase(stage, 2, restart_from_ema=("prior",)),
    ]
    run = Run.create(tmp_path / "run", {})
    state = Loop(parts, phases, torch.rand(40, 1, 2, 2), Settings(0, 8)).fit(run)
    run.release()
    for held in (state.parts["prior"].state_dict(), state.averages["prior"]):
        assert held["base.mean"].any() and not torch.equal(held["base.scale"], torch.eye(2))


def test_posteriors_that_diverge_reach_the_guard(rng):
    base = Gaussian(torch.zeros(2), torch.eye(2))
    parts = {"prior": StagedPrior(base, BatchedMLP(2, (8,), 1)), "generator": dense_generator(2, (8,), (1, 2, 2))}
    matched = MomentMatching(Posterior(0.5, Langevin(1e6, 1e6), steps=9))
    x = torch.rand(8, 1, 2, 2, generator=rng)
    metrics = matched.step(parts, matched.init(parts, Batch(x), rng), Batch(x), rng).metrics
    vital = matched.vitals[0]
    assert not vital.healthy(float(metrics[vital.name]), vital.warmup) and base.mean.isfinite().all()


def test_an_engine_that_nobody_settled_is_named(rng):
    prior = StagedPrior(StandardNormal(2), BatchedMLP(2, (8,), 1))
    parts = {"prior": prior, "generator": dense_generator(2, (8,), (1, 2, 2))}
    with pytest.raises(UserError, match="settled"):
        Posterior(engine="auto").sample(parts, prior, torch.rand(3, 1, 2, 2), 2, rng)


class Doubled(torch.nn.Module):
    def forward(self, z):
        return 2 * z


@pytest.mark.parametrize("magnitude", [1.0, 100.0])
def test_the_sum_of_bridges_is_the_ratio(magnitude, rng):
    """Of N(2, 1/4) to N(0, 1), through four waymarks."""
    prior = StagedPrior(StandardNormal(1), BatchedMLP(1, (32,), 4))
    telescope = Telescope(magnitude=magnitude)
    parts = {"prior": prior, "generator": torch.nn.Identity(), "encoder": Certain()}
    telescope.init(parts, Batch(torch.zeros(1, 1)), rng)
    optimizer = torch.optim.Adam(prior.parameters(), 5e-3)
    for _ in range(600):
        x = 2 + 0.5 * torch.randn(512, 1, generator=rng)
        loss = telescope.step(parts, {}, Batch(x), rng).losses["prior"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    z = 2 + 0.5 * torch.randn(4000, 1, generator=rng)
    expected = -0.5 * ((z - 2) / 0.5).square() - math.log(0.5) + 0.5 * z.square()
    assert float((prior.log_ratio(z).detach() - expected.squeeze(1)).square().mean().sqrt()) < 0.15


class Certain(torch.nn.Module):
    """An encoder that knows z: x itself."""

    def forward(self, x):
        return x, torch.full_like(x, -20.0)

    def sample(self, x, rng):
        return x


def staged_loop(seed=0):
    """A generator and two stages, the first of which counts as learned, so that the second has a bank."""
    torch.manual_seed(seed)
    generator, encoder = dense_generator(2, (8,), (1, 2, 2)), dense_encoder((1, 2, 2), (8,), 2)
    parts = {"prior": taught(1, count=2), "generator": generator, "encoder": encoder}
    ratios, posterior = [StageRatio(k, MALA(0.3), persistent_chains=32) for k in range(2)], Posterior(0.5, steps=2)
    stages = [
        LatentStage(ratio, posterior, pool=16, rows=16, ratio_updates_per_draw=1 + k) for k, ratio in enumerate(ratios)
    ]
    phases = [Phase(stage, 4, restart_from_ema=("prior",)) for stage in stages]
    x = torch.rand(40, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    return Loop(parts, phases, x, Settings(0, 8, checkpoint_every=1))


def test_no_sample_is_a_copy_of_another(rng):
    """Few are taken from many, and moved apart: the nearest two of 64 are no nearer than of exact draws by chance."""
    prior = taught(2)
    for n in (1, 64):
        assert prior.sample(n, rng).shape == (n, 2)
    apart = torch.pdist(prior.sample(64, rng))
    exact = min(float(torch.pdist(torch.randn(64, 2, generator=rng)).min()) for _ in range(20))
    assert float(apart.min()) > 0.1 * exact


@pytest.mark.parametrize("stopped", [2, 4, 6])
def test_stages_resume_to_the_bit(tmp_path, stopped):
    """Inside the first, at the switch, and inside the second with its bank."""
    runs = [Run.create(tmp_path / name, {}, overwrite=True) for name in "ab"]
    for run in runs:
        staged_loop().fit(run)
        run.release()
    for folder in (runs[1].path / "checkpoints").iterdir():
        if int(folder.name) > stopped:
            shutil.rmtree(folder)
    again = staged_loop()
    run = Run.open(runs[1].path)
    run.lock()
    again.resume(run)
    again.fit(run)
    run.release()
    for group in ("model", "ema", "optimizer", "sums", "rng", "shard-00000"):
        whole, resumed = (load_group(r.newest_checkpoint(), group) for r in runs)
        assert whole.keys() == resumed.keys() and all(torch.equal(whole[k], resumed[k]) for k in whole)
    assert any(k.endswith("/x") for k in load_group(runs[0].newest_checkpoint(), "shard-00000"))


def test_the_guard_goes_back_across_a_switch(tmp_path, monkeypatch):
    """Sick once just after it, a run goes back into the first stage and through the switch again."""
    loop = staged_loop()
    loop.phases = [replace(phase, steps=steps) for phase, steps in zip(loop.phases, (60, 30), strict=True)]
    loop.settings = replace(loop.settings, checkpoint_every=1000)
    step, sick = LatentStage.step, iter([True])

    def once_sick(self, parts, state, batch, rng):
        result = step(self, parts, state, batch, rng)
        if self.ratio.stage == 1 and next(sick, False):
            result.metrics["mse"] = torch.tensor(math.nan)
        return result

    monkeypatch.setattr(LatentStage, "step", once_sick)
    run = Run.create(tmp_path / "a", {})
    loop.fit(run)
    run.release()
    events = [(line["event"], line.get("to", line.get("index"))) for line in run.lines("events.jsonl")]
    back = next(to for event, to in events if event == "rollback")
    assert back < 60 and events.count(("phase", 1)) == 2 and events[-1] == ("phase-end", 1)
    assert loop.state.counters.stopped is None and loop.state.counters.step == 90
