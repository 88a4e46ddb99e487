"""Attacks on linear classifiers, where the smallest margin in reach is known, and what every attack keeps."""

import math

import pytest
import torch
from scipy.stats import binom

from energybased import EnergyModel, Langevin, Sampler, StandardNormal, UserError
from energybased.conditions import as_conditions
from energybased.data import DataSet, DataSpec, Pixels, Split, load_data
from energybased.energies import Network
from energybased.evaluation import METRICS, Subject
from energybased.evaluation.interval import binomial_interval
from energybased.evaluation.metrics.robustness import Robustness
from energybased.models import Judge
from energybased.networks import Joint
from energybased.networks.judge import JudgeNetwork
from energybased.tasks.attack import PGD, Ball, RandomSearch, margins

SHAPE = (1, 4, 4)
BALLS = [Ball("linf", 0.1), Ball("linf", 0.4), Ball("l2", 0.5), Ball("l2", 2.0), Ball("l2", 0.5, None)]


def linear(classes, seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, classes))


def examples(rng, n=30, inner=0.0):
    return inner + (1 - 2 * inner) * torch.rand(n, *SHAPE, generator=rng)


def reach(model, x, y, norm, epsilon, bounds):
    """The smallest margin within epsilon, from the margin to each other class, which is linear in x."""
    weight = model[1].weight.detach()
    logits, flat = model(x).detach(), x.flatten(1)
    found = []
    for other in range(len(weight)):
        slope = weight[y] - weight[other]  # of the margin to the other class
        if norm == "l2":
            fall = epsilon * slope.norm(dim=1)
        else:
            low, high = (
                (flat - epsilon, flat + epsilon)
                if bounds is None
                else ((flat - epsilon).clamp(min=bounds[0]), (flat + epsilon).clamp(max=bounds[1]))
            )
            fall = torch.where(slope > 0, slope * (flat - low), slope * (flat - high)).sum(1)
        margin = logits.gather(1, y[:, None]).squeeze(1) - logits[:, other] - fall
        found.append(margin.masked_fill(y == other, math.inf))
    return torch.stack(found).amin(0)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(
    "ball", [Ball("linf", 0.1), Ball("linf", 0.4), Ball("l2", 0.2, None), Ball("l2", 1.5, None)], ids=str
)
def test_pgd_reaches_the_smallest_margin_of_a_linear_model(rng, ball, classes):
    """Every other class is the target of a restart. No example is missed, so that none ends the search early."""
    model, x, y = ahead(linear(classes)), examples(rng), torch.zeros(30, dtype=torch.int64)
    found = PGD(ball, steps=40, restarts=classes + 1)(model, x, y, rng)
    expected = reach(model, x, y, ball.norm, ball.epsilon, ball.bounds)
    assert expected.min() > 0
    torch.testing.assert_close(margins(model(found), y), expected, atol=1e-4, rtol=0)


def ahead(model):
    """The classifier with the logit of class 0 so far ahead that no attack reaches another class."""
    with torch.no_grad():
        model[1].bias[0] += 20
    return model


@pytest.mark.parametrize("attack", [lambda b: PGD(b, 5, 3), lambda b: RandomSearch(b, 30)], ids=["pgd", "search"])
@pytest.mark.parametrize("ball", BALLS, ids=str)
def test_attacks_stay_within_the_ball_and_the_bounds(rng, ball, attack):
    model, x = linear(3), examples(rng)
    x[:10] = x[:10].round()  # at the bounds
    found = attack(ball)(model, x, torch.zeros(len(x), dtype=torch.int64), rng)
    change = (found - x).flatten(1)
    size = change.norm(dim=1) if ball.norm == "l2" else change.abs().amax(1)
    assert size.max() <= ball.epsilon * (1 + 1e-5) and size.max() > 0.5 * ball.epsilon
    assert ball.bounds is None or (found.min() >= 0 and found.max() <= 1)


@pytest.mark.parametrize("ball", BALLS, ids=str)
def test_projection_is_idempotent_and_keeps_what_is_inside(rng, ball):
    x = examples(rng)
    far = x + 3 * torch.randn(x.shape, generator=rng)
    once = ball.project(far, x)
    torch.testing.assert_close(ball.project(once, x), once)
    near = x + 0.01 * (0.5 - x)  # towards the middle of the bounds
    torch.testing.assert_close(ball.project(near, x), near)
    start = ball.random(x, rng)
    torch.testing.assert_close(ball.project(start, x), start)
    assert not torch.equal(start, x)


@pytest.mark.parametrize("ball", [Ball("linf", 0.2), Ball("l2", 1.0, None)], ids=str)
def test_a_random_search_comes_near_the_smallest_margin_and_not_below(rng, ball):
    model, x, y = ahead(linear(2)), examples(rng), torch.zeros(30, dtype=torch.int64)
    before, least = margins(model(x), y), reach(model, x, y, ball.norm, ball.epsilon, ball.bounds)
    share = (before - margins(model(RandomSearch(ball, 800)(model, x, y, rng)), y)) / (before - least)
    assert share.max() <= 1 + 1e-4 and share.mean() > 0.8


def test_random_logits_are_averaged_and_the_last_iterate_is_kept(rng):
    """Noise in the slope, three times as large as the slope, hides a single gradient and not their mean."""
    model, x = linear(2), examples(rng, 20)
    y = torch.zeros(len(x), dtype=torch.int64)

    def noisy(z):
        slope = 0.6 * torch.randn(z.shape, generator=rng)
        return model(z) + torch.stack([(z * slope).flatten(1).sum(1), torch.zeros(len(z))], 1)

    ball = Ball("linf", 0.1)
    expected = reach(model, x, y, "linf", 0.1, (0.0, 1.0))
    falls = []
    for draws in (1, 200):
        found = PGD(ball, steps=10, restarts=1, draws=draws)(noisy, x, y, rng)
        falls.append(((margins(model(x), y) - margins(model(found), y)) / (margins(model(x), y) - expected)).mean())
    assert falls[1] > 0.6 and falls[1] > falls[0] + 0.2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pgd_is_no_weaker_than_that_of_foolbox(monkeypatch):
    """On a network of digits, of which each attack leaves between a tenth and nine tenths."""
    monkeypatch.setenv("GIT_PYTHON_REFRESH", "quiet")
    foolbox = pytest.importorskip("foolbox", reason="it is in the extra energybased[attacks]")
    data = load_data("digits")
    x, y = data.values(data.train), data.train.take().y
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(300):
        rows = torch.randint(len(x), (128,))
        loss = torch.nn.functional.cross_entropy(network(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval().requires_grad_(False)
    x, y = data.values(data.test), data.test.take().y
    theirs = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    for ball in (Ball("linf", 0.05), Ball("linf", 0.1), Ball("l2", 0.3), Ball("l2", 0.6)):
        attack = foolbox.attacks.LinfPGD(steps=40) if ball.norm == "linf" else foolbox.attacks.L2PGD(steps=40)
        missed = float(attack(theirs, x, y, epsilons=ball.epsilon)[2].float().mean())
        found = PGD(ball, steps=40, restarts=2)(network, x, y, torch.Generator().manual_seed(0))
        left = float((margins(network(found), y) > 0).float().mean())
        assert 0.1 < left <= 1 - missed < 0.9


@pytest.mark.parametrize(
    "build",
    [
        lambda: Ball("l1", 0.1),
        lambda: Ball("linf", 0.0),
        lambda: Ball("linf", -0.1),
        lambda: Ball("l2", math.inf),
        lambda: Ball("linf", 8.0),
        lambda: Ball("linf", 0.1, (1.0, 0.0)),
        lambda: PGD(BALLS[0], steps=0),
        lambda: PGD(BALLS[0], restarts=0),
        lambda: PGD(BALLS[0], draws=0),
        lambda: PGD(BALLS[0], steps=1.5),
        lambda: RandomSearch(BALLS[0], queries=0),
        lambda: Robustness(linf=(0.1, -0.2)),
        lambda: Robustness(linf=(), l2=()),
        lambda: Robustness(steps=0),
        lambda: Robustness(part=0),
    ],
)
def test_settings_that_make_no_sense(build):
    with pytest.raises(UserError):
        build()


def test_a_random_search_is_not_misled_by_lucky_draws(rng):
    """Noise in the logits larger than what the ball can change: one draw ends the search at once, the mean does not."""
    model, x, ball = linear(3), examples(rng, 60, inner=0.2), Ball("linf", 0.2)
    y = model(x).argmax(1)

    def noisy(z):
        logits = model(z)
        return logits + 0.5 * torch.randn(logits.shape, generator=rng)

    clean = margins(model(x), y)
    falls = [(clean - margins(model(RandomSearch(ball, 60, draws)(noisy, x, y, rng)), y)).detach() for draws in (1, 8)]
    gain = falls[1] - falls[0]
    assert gain.mean() > 3 * gain.std() / len(x) ** 0.5


@pytest.mark.parametrize("attack", [PGD(BALLS[0], steps=1), RandomSearch(BALLS[0], queries=1)], ids=["pgd", "search"])
@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (255 * torch.ones(2, *SHAPE), torch.zeros(2, dtype=torch.long), "outside the bounds"),
        (torch.ones(2, *SHAPE), torch.zeros(3, dtype=torch.long), "a class number for each of 2 examples"),
        (torch.ones(2, *SHAPE), torch.zeros(2), "a class number for each of 2 examples"),
        (torch.ones(2, *SHAPE), torch.zeros(2, dtype=torch.int32), "y must be int64"),
        (torch.ones(2, *SHAPE).numpy(), torch.zeros(2, dtype=torch.long), "must be tensors"),
        (torch.ones(2, *SHAPE), torch.tensor([0, 3]), "classes 0 ... 3, but there are 3 logits"),
        (torch.ones(2, *SHAPE), torch.tensor([-1, 0]), "classes -1 ... 0"),
        (torch.ones(0, *SHAPE), torch.zeros(0, dtype=torch.long), "no example"),
    ],
)
def test_examples_that_cannot_be_attacked(attack, x, y, words):
    with pytest.raises(UserError, match=words):
        attack(linear(3), x, y)


def test_classifiers_that_cannot_be_attacked():
    x, y = torch.ones(2, *SHAPE), torch.zeros(2, dtype=torch.long)
    for attack in (PGD(BALLS[0], steps=1), RandomSearch(BALLS[0], queries=1)):
        for logits, words in (
            (lambda x: linear(3)(x) * math.nan, "not finite"),
            (linear(1), "at least two classes"),
            (lambda x: x.flatten(1).sum(1), "at least two classes"),
        ):
            with pytest.raises(UserError, match=words):
                attack(logits, x, y)


def test_the_interval_of_a_binomial():
    """Its ends are where the tails of the binomial have 2.5 % each."""
    low, high = binomial_interval(37, 256)
    assert binom.sf(36, 256, low) == pytest.approx(0.025) and binom.cdf(37, 256, high) == pytest.approx(0.025)
    assert binomial_interval(5, 5)[1] == 1.0


def subject(model, x, y, judge=None):
    test = Split(x, y)
    return Subject(model, DataSet("own", test, test, test, Pixels(), as_conditions(3)), judge)


def test_the_metric_finds_the_exact_accuracy_of_a_linear_model(rng):
    """An example is robust if its smallest margin in reach is positive."""
    model, x = linear(3), examples(rng, 60)
    y = model(x).argmax(1)
    y[:6] = (y[:6] + 1) % 3  # a tenth is classified wrongly
    spec = DataSpec(SHAPE, Pixels(), as_conditions(3))
    sampler = Sampler(Langevin(1e-6, 0.0))  # chains that hardly move: the sampler is as robust as the logits
    energy = EnergyModel(Network(Joint(model)), spec, sampler, conditions=spec.conditions)
    metric = Robustness(linf=(0.02, 0.1), l2=(), restarts=4, queries=20, part=60)
    judge = Judge(JudgeNetwork(SHAPE, 3, ((4, 1),)), spec)
    rows = {row.metric: row for row in metric.measure(subject(energy, x, y, judge))}
    assert rows["robust_clean"].value == pytest.approx(0.9)
    for epsilon in (0.02, 0.1):
        margin = reach(model, x, y, "linf", epsilon, (0.0, 1.0))
        assert margin.abs().min() > 1e-4  # so that rounding decides nothing
        expected = float((margin > 0).float().mean())
        for attack in ("pgd", "least", "sampler"):
            assert rows[f"robust_linf_{epsilon:g}_{attack}"].value == pytest.approx(expected), attack
        low = binomial_interval(round(60 * expected), 60)[0]
        assert rows[f"robust_linf_{epsilon:g}_sampler_low"].value == pytest.approx(low)
    assert 0 < rows["robust_linf_0.1_pgd"].value < rows["robust_linf_0.02_pgd"].value < 0.9
    assert "the judge" in rows["robust_linf_0.1_least"].protocol


def test_a_judge_has_no_sampler_to_attack(rng):
    spec = DataSpec(SHAPE, Pixels(), as_conditions(3))
    torch.manual_seed(0)
    judge = Judge(JudgeNetwork(SHAPE, 3, ((4, 1),)).eval().requires_grad_(False), spec)
    x = examples(rng, 12)
    metric = Robustness(linf=(0.05,), l2=(0.2,), steps=3, queries=3)
    rows = [row.metric for row in metric.measure(subject(judge, x, judge.logits(x).argmax(1), judge))]
    assert rows[0] == "robust_clean" and not any("sampler" in name for name in rows) and len(rows) == 5


def test_the_metric_is_asked_for_by_name_and_needs_classes(rng):
    assert METRICS["robustness"].optional
    free = EnergyModel(StandardNormal(16), DataSpec(SHAPE, Pixels()))
    lacking = subject(free, examples(rng), torch.zeros(30, dtype=torch.int64)).missing(METRICS["robustness"].needs)
    assert lacking == ["class logits"]
