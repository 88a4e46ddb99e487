"""A contract for every objective in `OBJECTIVES`, and contrastive divergence against its formula."""

from dataclasses import replace

import pytest
import torch

from energybased import ContrastiveDivergence, Energy, ReplayBuffer, StandardNormal, Underdamped, UserError
from energybased.data import Pixels
from energybased.energies import MLP, Network
from energybased.latent import OBJECTIVES as LATENT
from energybased.networks import Joint
from energybased.objectives import OBJECTIVES, Batch, CrossEntropy, EnergyDiscrepancy, JointEnergy, Refreshing
from energybased.objectives.contrastive_divergence import separation

(CD,) = (objective for objective, _ in OBJECTIVES if isinstance(objective, ContrastiveDivergence))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def begin(objective, classes=0):
    torch.manual_seed(0)
    parts = {"energy": MLP(4, (8,), classes)}
    x = torch.rand(8, 4, generator=generator(1))
    y = torch.arange(8) % classes if classes else None
    return parts, Batch(x, y, domain=Pixels()), objective.init(parts, Batch(x, y, domain=Pixels()), generator(2))


def example(objective, build):
    torch.manual_seed(0)
    batch = Batch(torch.rand(8, 1, 2, 2, generator=generator(1)), torch.arange(8) % 2, domain=Pixels())
    parts = build()
    return parts, batch, objective.init(parts, batch, generator(2))


@pytest.mark.parametrize(("objective", "build"), OBJECTIVES + LATENT, ids=lambda o: type(o).__name__)
def test_contract(objective, build):
    """Losses are 0-d and reach every parameter; state is flat tensors; the vitals are among the metrics."""
    parts, batch, state = example(objective, build)
    result = objective.step(parts, state, batch, generator(3))
    assert set(result.losses) <= set(parts)
    for name, loss in result.losses.items():
        assert loss.ndim == 0
        loss.backward(retain_graph=True)  # parts may share a loss
        # An objective that sees gradients of an energy alone leaves its last bias, a constant, alone.
        assert all(p.grad is not None or p.numel() == 1 for p in parts[name].parameters())
    assert all(isinstance(value, torch.Tensor) for value in result.state.values())
    assert all(value.ndim == 0 and not value.requires_grad for value in result.metrics.values())
    for vital in objective.vitals:
        assert vital.name in result.metrics and vital.low < vital.high and vital.advice
    if isinstance(objective, Refreshing):
        assert set(objective.refresh(parts, result.state, batch, generator(4))) == set(result.state)


@pytest.mark.parametrize(("objective", "build"), OBJECTIVES + LATENT, ids=lambda o: type(o).__name__)
def test_a_step_is_a_function_of_its_seed(objective, build):
    losses = []
    for _ in range(2):
        parts, batch, state = example(objective, build)
        losses.append(objective.step(parts, state, batch, generator(3)).losses)
    assert all(torch.equal(losses[0][name], losses[1][name]) for name in losses[0])


@pytest.mark.parametrize(("anew", "variance"), [(False, 1.0), (True, 16 / 13)])
def test_chains_rest_with_their_momentum(anew, variance):
    """Visits of one step each sample a standard normal; tolerance of five standard errors of a variance.

    A momentum drawn anew at each visit makes q <- 5/8 q + 3/4 p + sqrt(3)/4 eps of a step, of variance 16/13.
    """
    buffer = ReplayBuffer(capacity=8000, restart=0.0)
    objective = ContrastiveDivergence(Underdamped(1.0, 0.5), steps=1, buffer=buffer)
    energy, batch = StandardNormal(2), Batch(torch.zeros(8000, 2))
    rng = generator(5)
    state = objective.init({"energy": energy}, batch, rng)
    variances = []
    for _ in range(30):
        state = objective.step({"energy": energy}, state, batch, rng).state
        if anew:
            state["visits"].zero_()
        variances.append(state["x"].var())
    assert abs(torch.stack(variances[10:]).mean() - variance) < 5 * variance * (2 / 16000) ** 0.5


def test_separation_counts_pairs_and_no_ties():
    data, negatives = torch.tensor([0.0, 1.0, 5.0]), torch.tensor([2.0, 1.0])
    assert float(separation(data, negatives)) == pytest.approx(3 / 6)


def test_judges_see_pictures_moved_and_mirrored_whole():
    """Each row is one of the two mirrorings at one of nine places, with black where nothing is."""
    x = torch.rand(200, 2, 3, 4, generator=generator(1)) + 0.1
    seen = CrossEntropy(shift=1, mirror=True).augmented(x, generator(2))
    found = torch.zeros(2, 3, 3)
    for i, picture in enumerate(seen):
        options = {}
        for turned, whole in enumerate((x[i], x[i].flip(-1))):
            padded = torch.nn.functional.pad(whole, (1, 1, 1, 1))
            options |= {(turned, a, b): padded[:, a : a + 3, b : b + 4] for a in range(3) for b in range(3)}
        (place,) = [place for place, option in options.items() if torch.equal(option, picture)]
        found[place] += 1
    assert (found > 0).all()


def test_cutout_blackens_one_square_of_each_picture():
    seen = CrossEntropy(cutout=3).augmented(torch.ones(200, 1, 8, 8), generator(2))
    black = seen[:, 0] == 0
    rows, columns = black.any(2).sum(1), black.any(1).sum(1)
    assert torch.equal(black.flatten(1).sum(1), rows * columns) and rows.max() == columns.max() == 3
    assert black.any(0).all() and not torch.equal(black[0], black[1])


def test_the_loss_is_the_papers():
    objective = replace(CD, energy_l2=0.5)
    parts, batch, state = begin(objective)
    result = objective.step(parts, state, batch, generator(3))
    positive, negative = parts["energy"](batch.x), parts["energy"](result.state["x"][:8])
    expected = positive.mean() - negative.mean() + 0.5 * (positive.square().mean() + negative.square().mean())
    torch.testing.assert_close(result.losses["energy"], expected)


@pytest.mark.parametrize(
    "build", [lambda: MLP(4, (8,), 3), lambda: Network(Joint(torch.nn.Linear(4, 3)))], ids=["conditional", "logits"]
)
def test_the_gradient_of_joint_training_is_the_sum_of_its_terms(build):
    """-log p(y | x) by a softmax of energies, and the contrast of -log sum_y exp(-E(x, y)) between data and chains."""
    torch.manual_seed(0)
    objective, energy = JointEnergy(CD, classes=3, weight=0.7), build()
    x, y = torch.rand(8, 4, generator=generator(1)), torch.arange(8) % 3
    batch, parts = Batch(x, y, domain=Pixels()), {"energy": energy}
    state = objective.init(parts, batch, generator(2))
    result = objective.step(parts, state, batch, generator(3))
    found = torch.autograd.grad(result.losses["energy"], list(energy.parameters()))

    def energies(x):
        return torch.stack([energy(x, torch.full((len(x),), label)) for label in range(3)], 1)

    cross_entropy = torch.nn.functional.cross_entropy(-energies(x), y)
    negatives = result.state["x"][:8]
    assert not torch.equal(negatives, x) and "y0" not in result.state
    contrast = energies(negatives).neg().logsumexp(1).mean() - energies(x).neg().logsumexp(1).mean()
    terms = [torch.autograd.grad(term, list(energy.parameters())) for term in (contrast, 0.7 * cross_entropy)]
    for gradient, a, b in zip(found, *terms, strict=True):
        torch.testing.assert_close(gradient, a + b)
    assert all(max(float(part.abs().max()) for part in term) > 1e-3 for term in terms)


@pytest.mark.parametrize(
    "change",
    [{"classes": 1}, {"weight": 0.0}, {"divergence": replace(CD, buffer=ReplayBuffer(by_class=True))}],
    ids=["classes", "weight", "by_class"],
)
def test_bad_settings_of_joint_training(change):
    with pytest.raises(UserError):
        replace(JointEnergy(CD, 2), **change)


def test_joint_training_needs_labels():
    parts, batch, _ = begin(CD, classes=2)
    objective = JointEnergy(CD, 2)
    state = objective.init(parts, batch, generator(2))
    with pytest.raises(UserError, match="class labels"):
        objective.step(parts, state, batch._replace(y=None), generator(3))


def test_conditional_chains_go_on_under_the_batch():
    objective = replace(CD, buffer=ReplayBuffer(capacity=16, relabel=True))
    parts, batch, state = begin(objective, classes=3)
    result = objective.step(parts, state, batch, generator(3))
    result.losses["energy"].backward()
    assert all(p.grad is not None for p in parts["energy"].parameters())


def test_dropout_is_on_in_chains_only_when_asked():
    seen = []

    class Watching(torch.nn.Module):
        def forward(self, x):
            seen.append(self.training)
            return x.sum(1)

    for dropout in (False, True):
        seen.clear()
        objective = replace(CD, dropout=dropout)
        x = torch.rand(4, 2)
        parts = {"energy": Watching().train()}
        objective.step(parts, objective.init(parts, Batch(x), generator()), Batch(x), generator())
        assert seen[:3] == [dropout] * 3 and seen[3:] == [True]


@pytest.mark.parametrize("change", [{"steps": 0}, {"energy_l2": -1}, {"engine": "other"}], ids=str)
def test_bad_settings(change):
    with pytest.raises(UserError):
        replace(CD, **change)


def test_energy_discrepancy_learns_without_chains():
    """Precision and mean of N(1, 1/4) to five standard errors of 20,000 data, and the bias of 64 particles."""
    rng = generator(0)
    x = 1 + 0.5 * torch.randn(20_000, 1, generator=rng)
    energy = Quadratic()
    objective = EnergyDiscrepancy(noise=0.5, particles=64)
    optimizer = torch.optim.Adam(energy.parameters(), 0.02)
    for _ in range(400):
        batch = Batch(x[torch.randint(len(x), (512,), generator=rng)])
        loss = objective.step({"energy": energy}, {}, batch, rng).losses["energy"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert energy.mean.item() == pytest.approx(1.0, abs=0.05)
    assert energy.precision.item() == pytest.approx(4.0, rel=0.1)


class Quadratic(Energy):
    def __init__(self):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.tensor(0.0))
        self.precision = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, x, y=None):
        return 0.5 * self.precision * (x - self.mean).square().sum(1)
