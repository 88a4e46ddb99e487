"""The rivals of the picture tables are what they are said to be, and can be trained."""

import itertools
import sys
from pathlib import Path

import pytest
import torch

from energybased.conditions import Classes
from energybased.data import DataSet, Split

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
classifier, gan, learner, pixelcnn, unet, vae = (
    pytest.importorskip(name) for name in ("classifier", "gan", "learner", "pixelcnn", "unet", "vae")
)


@pytest.fixture(scope="module")
def small():
    """A PixelCNN of 5 x 6 pixels, whose weights are not those of the start, where much is zero."""
    torch.manual_seed(0)
    network = pixelcnn.PixelCNN((1, 5, 6), 2, width=4, dilations=(1, 2))
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.5)
    return network.requires_grad_(False)


def test_a_pixel_depends_on_all_earlier_ones_alone(small):
    v, y = torch.rand(1, 1, 5, 6, requires_grad=True), torch.tensor([1])
    for i, j in ((0, 0), (2, 0), (2, 3), (4, 5)):
        (gradient,) = torch.autograd.grad(small(v, y)[0, 0, i, j], v)
        seen, before = gradient.flatten() != 0, i * 6 + j
        assert not seen[before:].any()
        assert seen[:before].all()  # six rows above and six columns on the left are in sight


def test_the_density_of_a_pixel_integrates_to_one(small):
    grid = torch.linspace(-2, 3, 501)
    logits = small(torch.rand(1, 1, 5, 6), torch.tensor([0]))[:, :, 2:3, 3:4].expand(501, -1, -1, -1)
    density = small.densities(logits, grid.view(-1, 1, 1, 1)).exp().flatten()
    assert float(torch.trapezoid(density, grid)) == pytest.approx(1, abs=1e-4)


def test_samples_have_the_density_that_they_were_drawn_with(small):
    y = torch.tensor([0, 1, 2])
    v, drawn = small.sample(y, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn, small.log_prob(v, y), rtol=1e-4, atol=1e-3)


def test_the_bound_of_the_vae_tightens_to_the_density():
    """With a decoder that ignores z, and an encoder at the prior, the bound is the density."""
    torch.manual_seed(0)
    network, rng = vae.Vae((1, 2, 2)).requires_grad_(False), torch.Generator().manual_seed(0)
    for last in (network.encoder.trunk[-1], network.decoder[-1]):
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
    v, variance = torch.rand(5, 1, 2, 2), torch.tensor(0.3**2 + 0.125)
    exact = torch.distributions.Normal(0.5, variance.sqrt()).log_prob(v).flatten(1).sum(1)
    torch.testing.assert_close(network.bound(v, rng), exact)
    torch.testing.assert_close(network.importance(v, 3, rng), exact)


@pytest.fixture(scope="module")
def digits():
    """Noise in the shape of MNIST, under its name, so that its judge is found."""
    torch.manual_seed(0)
    split = Split(torch.randint(256, (30, 1, 28, 28), dtype=torch.uint8), torch.arange(30) % 10)
    return DataSet("mnist", split, split, split, conditions=(Classes(10),))


@pytest.mark.parametrize(
    ("build", "fit"),
    [
        (lambda data: pixelcnn.PixelCNN(data.event, data.classes, 8, (1,)), pixelcnn.fit),
        (gan.build, gan.fit),
        (vae.build, vae.fit),
        (unet.build, unet.fit),
        (classifier.build, classifier.fit),
        (classifier.build, classifier.fit_attacked),
    ],
    ids=["pixelcnn", "gan", "vae", "unet", "cnn", "attacked"],
)
def test_every_rival_learns(build, fit, digits, monkeypatch):
    seconds = itertools.count()
    monkeypatch.setattr(learner.time, "process_time", lambda: next(seconds))  # an update takes a second
    monkeypatch.setattr(gan, "DRAWN", 20)
    torch.manual_seed(0)
    network = build(digits)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert ", 2 updates of " in fit(network, digits, 2 / 60, 0)
    after = network.state_dict()
    assert all(value.isfinite().all() for value in after.values())
    assert any(not after[name].equal(value) for name, value in before.items())
