"""Classification by energies whose posterior is known, and the command."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from energybased import MLP, EnergyModel, Langevin, Sampler, Tilted, UserError, load
from energybased.cli import main
from energybased.conditions import Classes
from energybased.data import DataSpec, Reals
from energybased.data.pictures import save_png
from energybased.energies import Network, PrincipalGaussian
from energybased.energy import Energy
from energybased.networks import BFloat16, Joint
from energybased.networks.bfloat16 import unwrapped
from energybased.tasks.classify import Refinement, labels, log_probabilities, probabilities

CENTRES = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.0, 2.0]])
STEP = 0.2


class Clusters(Energy):
    """E(x, y) = |x - m_y|^2 / 2: normals of equal weight."""

    def __init__(self):
        super().__init__()
        self.register_buffer("centres", CENTRES)

    def forward(self, x, y=None):
        return 0.5 * (x - self.centres[y]).square().sum(1)


def model(noise=0.0):
    """Chains without noise, x <- x - STEP grad E(x)."""
    spec = DataSpec((2,), Reals(), (Classes(3, ("red", "green", "blue")),))
    return EnergyModel(Clusters(), spec, Sampler(Langevin(STEP, 0.0)), noise, spec.conditions)


def points(rng, n=20):
    return 2 * torch.randn(n, 2, generator=rng)


def test_classes_have_their_posterior(rng):
    x = points(rng)
    normal = torch.distributions.Independent(torch.distributions.Normal(CENTRES, 1.0), 1)
    density = normal.log_prob(x[:, None]).exp()
    torch.testing.assert_close(probabilities(model(), x), density / density.sum(1, keepdim=True))
    assert labels(model()) == ["red", "green", "blue"]


def test_energies_of_all_classes_are_those_of_each(rng):
    """A module that has all energies at once, one that has one at a time, and their sum over the classes."""
    x, linear = points(rng), torch.nn.Linear(2, 3)
    joint = EnergyModel(Network(Joint(linear)), model().spec, conditions=model().conditions)
    dense = replace(joint, energy=MLP(2, (8, 8), 3))
    tilted = replace(joint, energy=Tilted(PrincipalGaussian.fit(x, 2, 0.1), dense.energy))
    for found in (model(), joint, dense, tilted):
        each = torch.stack([found.energy.given(y)(x) for y in range(3)], 1)
        torch.testing.assert_close(-found.logits(x), each)
        torch.testing.assert_close(found.score(x), -(-each).logsumexp(1))
    torch.testing.assert_close(joint.logits(x), linear(x))


def test_refinement_under_each_class_compares_the_ends(rng):
    """A chain without noise approaches the centre of its class by a factor of 1 - STEP each time."""
    x = points(rng)
    found = log_probabilities(model(), x, Refinement(steps=3, under="class", radius=100.0))
    ends = CENTRES + (1 - STEP) ** 3 * (x[:, None] - CENTRES)
    energies = 0.5 * (ends - CENTRES).square().sum(2)
    torch.testing.assert_close(found, (-energies).log_softmax(1))


def test_refinement_under_the_marginal_follows_its_gradient(rng):
    x = points(rng)
    end = x
    for _ in range(3):
        weights = (-0.5 * (end[:, None] - CENTRES).square().sum(2)).softmax(1)
        end = end - STEP * (end - weights @ CENTRES)
    torch.testing.assert_close(log_probabilities(model(), x, Refinement(steps=3)), model().logits(end).log_softmax(1))


@pytest.mark.parametrize("under", ["marginal", "class"])
def test_a_refinement_stays_within_its_radius(rng, under):
    """Far from all centres a step is larger than the radius: each entry moves by the radius exactly."""
    x = torch.tensor([[50.0, 50.0]])
    found = log_probabilities(model(), x, Refinement(steps=4, under=under, radius=0.25))
    torch.testing.assert_close(found, model().logits(x - 0.25).log_softmax(1))


def test_copies_average_probabilities_over_the_noise(rng):
    """Two classes are compared on a line by quadrature; tolerance of five standard errors of the copies."""
    copies, noise = 4000, 0.8
    x = torch.tensor([[0.3, 0.0]])
    found = probabilities(model(noise), x, Refinement(steps=0, copies=copies, noise=True), rng)[0]
    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    a, b = np.meshgrid(nodes, nodes)
    grid = x + noise * torch.tensor(np.stack([a.ravel(), b.ravel()], 1), dtype=torch.float32)
    weight = torch.tensor(np.outer(weights, weights).ravel() / (2 * np.pi), dtype=torch.float32)
    each = probabilities(model(), grid)
    expected = weight @ each
    spread = (weight @ (each - expected).square()).sqrt()
    assert ((found - expected).abs() < 5 * spread / copies**0.5).all() and (spread > 0.05).all()
    assert (probabilities(model(), x)[0] - expected).abs().max() > 0.02  # the noise matters


@pytest.mark.parametrize("under", ["marginal", "class"])
def test_gradients_pass_the_chains_as_a_shift(rng, under):
    """The gradient at the end of the chain, as if the chain had added a constant."""
    x = points(rng).requires_grad_()
    found = log_probabilities(model(), x, Refinement(steps=3, under=under, radius=100.0))[:, 0].sum()
    (gradient,) = torch.autograd.grad(found, x)
    ends = x.detach()[:, None] + torch.zeros(3, 1)
    for _ in range(3):
        pull = ends - CENTRES
        if under == "marginal":
            pull = ends - (-0.5 * (ends - CENTRES).square().sum(2)).softmax(1)[:, None] @ CENTRES
        ends = ends - STEP * pull
    probability = (-0.5 * (ends - CENTRES).square().sum(2)).softmax(1)
    slope = -(ends - CENTRES)  # of the logits
    torch.testing.assert_close(gradient, slope[:, 0] - (probability[..., None] * slope).sum(1))


@pytest.mark.parametrize("under", ["marginal", "class"])
def test_gradients_through_the_chains_are_those_of_finite_differences(rng, under):
    x, refinement = points(rng, 4).double(), Refinement(steps=3, under=under, copies=2, radius=100.0)
    exact = replace(model(), energy=Clusters().double())

    def found(x):
        return log_probabilities(exact, x, refinement, torch.Generator().manual_seed(0), through=True)

    assert torch.autograd.gradcheck(found, x.requires_grad_())
    values = log_probabilities(exact, x, refinement, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found(x), values)  # the same chains


def test_noise_is_drawn_from_the_generator():
    x = torch.zeros(4, 2)
    draws = [
        probabilities(model(0.5), x, Refinement(2, copies=2, noise=True), torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_a_model_of_a_type_computes_in_it(rng):
    linear = torch.nn.Linear(2, 3)
    rounded, x = Network(BFloat16(Joint(linear))), points(rng)
    half = EnergyModel(rounded, model().spec, conditions=model().conditions)
    exact = half.to(dtype=torch.float32)
    assert not torch.equal(half.logits(x), linear(x)) and torch.equal(exact.logits(x), linear(x))
    assert isinstance(rounded.module, BFloat16)  # the model itself is as it was
    assert isinstance(unwrapped(BFloat16(BFloat16(linear))), torch.nn.Linear)


@pytest.mark.parametrize(
    "settings",
    [{"steps": -1}, {"under": "other"}, {"steps": 1.5}, {"copies": 0}, {"radius": 0.0}, {"radius": float("inf")}],
    ids=str,
)
def test_bad_refinements(settings):
    with pytest.raises(UserError):
        Refinement(**settings)


def test_free_chains_under_each_class_are_refused():
    """They become samples of their class, and the fraction that is classified rightly falls to chance."""
    with pytest.raises(UserError, match="need a radius"):
        Refinement(steps=1, under="class")
    Refinement(steps=1, under="class", radius=0.1), Refinement(steps=0, under="class")


def test_logits_take_a_batch_only():
    with pytest.raises(UserError, match=r"x must be \(n, 2\), got \(2,\)"):
        model().logits(torch.zeros(2))


def test_a_model_without_classes_or_chains():
    free = EnergyModel(Clusters().given(0), DataSpec((2,)))
    with pytest.raises(UserError, match="has no classes"):
        probabilities(free, torch.zeros(1, 2))
    with pytest.raises(UserError, match="classify"):
        free.logits(torch.zeros(1, 2))
    fixed = EnergyModel(Clusters(), model().spec, conditions=model().conditions)
    with pytest.raises(UserError, match="no chains"):
        probabilities(fixed, torch.zeros(1, 2), Refinement(1))


QUICK = ["--steps", "60", "--network.hidden", "16", "--batch-size", "64", "--sampler.length", "5"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        digits = load_digits()
        kinds = np.array(["even", "odd"])[digits.target % 2]
        np.savez("two.npz", x=digits.images[:, None].astype(np.float32) / 16, y=kinds)
        assert main(["train", "digits", "--data", "two.npz", "--name", "a", *QUICK]) == 0
        assert main(["train", "digits", "--conditional", "False", "--name", "free", *QUICK[2:], "--steps", "2"]) == 0
        assert main(["train", "judge-digits", "--name", "judge", "--steps", "40"]) == 0
        np.savez("x.npz", x=digits.images[:6, None].astype(np.float32) / 16)
        (folder / "pictures").mkdir()
        for i in range(2):
            save_png(torch.from_numpy(digits.images[i : i + 1] / 16).float(), folder / "pictures" / f"{i}.png")
    return folder


def lines(text):
    return list(csv.DictReader(text.splitlines()))


def test_the_command_writes_labels_and_probabilities(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["classify", "runs/a", "x.npz"]) == 0
    read = lines(capsys.readouterr().out)
    x = torch.from_numpy(np.load("x.npz")["x"])
    expected = load("runs/a").logits(x).softmax(1).max(1)
    assert [row["name"] for row in read] == [str(i) for i in range(6)]
    assert [row["class"] for row in read] == [("even", "odd")[i] for i in expected.indices]
    np.testing.assert_allclose([float(row["probability"]) for row in read], expected.values, rtol=1e-4)
    refined = ["--steps", "3", "--copies", "2", "--noise", "--under", "class", "--radius", "0.1"]
    assert main(["classify", "runs/a", "pictures", "pictures/0.png", *refined, "--out", "found.csv"]) == 0
    names = [row["name"] for row in lines((folder / "found.csv").read_text())]
    assert names == ["pictures/0.png", "pictures/1.png", "pictures/0.png"]


def test_a_judge_classifies(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["classify", "runs/judge", "x.npz"]) == 0
    assert all(row["class"] in map(str, range(10)) for row in lines(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runs/free", "x.npz"], "has no classes"),
        (["runs/judge", "x.npz", "--steps", "5"], "no chains"),
        (["runs/a", "x.npz", "--steps", "-1"], "steps must be a whole number of at least 0"),
        (["runs/a", "x.npz", "--copies", "0"], "copies must be a whole number of at least 1"),
        (["runs/a", "x.npz", "--steps", "5", "--under", "class"], "need a radius"),
        (["runs/a", "x.npz", "--radius", "0.1"], "give --steps"),
        (["runs/a", "x.npz", "--under", "class"], "give --steps"),
        (["runs/a", "x.npz", "--out", "found.txt"], "must end in .csv"),
        (["runs/a", "x.npz", "--out", "gone/found.csv"], "no folder gone"),
        (["runs/a", "x.csv", "--out", "./x.csv"], "would overwrite"),
        (["runs/a", "x.npz", "--copies", "8"], "8 copies without steps or noise are all the same"),
        (["runs/a", "gone.png"], "there is nothing at"),
        (["runs/a"], "nothing to classify"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_classified_is_named(folder, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(folder)
    assert main(["classify", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert words in error and error.startswith("ebm: ") and "\n" not in error
