"""Energies over levels of noise whose network sees the class in its trunk."""

import math

import pytest
import torch

import energybased as eb
from energybased.energies.class_in_trunk import DROPPED, ClassInTrunk
from energybased.energies.guided import Guided
from energybased.errors import UserError
from energybased.networks import BFloat16
from energybased.networks.unet import UNet
from energybased.objectives import Batch, Denoising, DenoisingScoreMatching
from energybased.recipes.network import MLPField
from energybased.recipes.noise_conditional import NoiseConditionalRecipe
from energybased.training import Adam

EVENT = (1, 4, 4)


class Linear(torch.nn.Module):
    """A linear field that depends on the class, with symmetric Jacobians, a number without x, and logits."""

    def forward(self, u, log_sigma, y):
        share = (0.1 * y).view(-1, 1, 1, 1)
        logits = u.flatten(1)[:, :3] + (y * log_sigma)[:, None]
        return (share * u + 0.2 * u.flip(1, 2, 3))[:, None], torch.cat([(y * log_sigma)[:, None], logits], 1)


def energy_of(network, classes=3):
    return ClassInTrunk(network, torch.linspace(0, 1, 16).view(EVENT), torch.tensor(0.5), (0.05, 5.0), classes)


def test_each_class_is_a_pass(rng):
    energy, x = energy_of(Linear()), torch.randn(4, *EVENT, generator=rng)
    sigma, y = torch.tensor([0.1, 0.5, 1.0, 4.0]), torch.tensor([0, 2, 1, 0])
    by_class = energy.at(sigma).by_class(x, 3)
    assert by_class.shape == (4, 3)
    torch.testing.assert_close(by_class.gather(1, y[:, None])[:, 0], energy.at(sigma).given(y)(x))
    torch.testing.assert_close(energy(x, (y, sigma)), energy.at(sigma)(x, y))
    none = torch.full((4,), 3)
    torch.testing.assert_close(energy.free(sigma)(x), energy.of_class(x, sigma, none)[0])
    rows = torch.tensor([2, 0])
    torch.testing.assert_close(energy.free(sigma).select(rows)(x[rows]), energy.free(sigma)(x)[rows])
    guided = Guided(energy.at(sigma), 3, 1.7, energy.free(sigma)).given(y)
    torch.testing.assert_close(guided(x), 1.7 * energy.at(sigma)(x, y) - 0.7 * energy.free(sigma)(x))
    torch.testing.assert_close(guided.select(rows)(x[rows]), guided(x)[rows])
    with pytest.raises(UserError, match="give y"):
        energy.at(1.0)(x)


def test_the_field_is_the_gradient_where_eulers_identity_holds(rng):
    energy, x = energy_of(Linear()), torch.randn(4, *EVENT, generator=rng)
    sigma, y = torch.tensor([0.1, 0.5, 1.0, 4.0]), torch.tensor([0, 1, 3, 0])
    field, energies = energy.with_field(x, sigma, y)
    assert energies is None
    torch.testing.assert_close(field, energy.at(sigma).given(y).value_and_grad(x)[1])


def test_a_tenth_of_the_labels_is_left_out(rng):
    y = torch.arange(3).repeat(3000)
    seen = energy_of(Linear()).seen(y, rng)
    dropped = seen == 3
    assert torch.equal(seen[~dropped], y[~dropped])
    error = math.sqrt(DROPPED * (1 - DROPPED) / len(y))
    assert float(dropped.float().mean()) == pytest.approx(DROPPED, abs=5 * error)


def test_the_classes_are_told_by_the_pass_without_a_class(rng):
    energy, x = energy_of(Linear()), torch.randn(4, *EVENT, generator=rng)
    sigma = torch.tensor([0.1, 0.5, 1.0, 4.0])
    u = (x - energy.mean) / (sigma.square() + 0.25).sqrt().view(-1, 1, 1, 1)
    expected = (u.flatten(1)[:, :3] + (3 * sigma.log())[:, None]).log_softmax(1)
    torch.testing.assert_close(energy.class_logits(x, sigma).log_softmax(1), expected)
    joint = energy.joint(x, sigma)
    torch.testing.assert_close(joint, energy.free(sigma)(x)[:, None] - expected)
    torch.testing.assert_close(-(-joint).logsumexp(1), energy.free(sigma)(x))


def test_the_cross_entropy_takes_one_pass_and_leaves_the_field_alone(rng):
    torch.manual_seed(0)
    energy = energy_of(BFloat16(UNet(EVENT, (8, 8), 1, 1, numbers=4, classes=3)))
    batch = Batch(torch.rand(9, *EVENT, generator=rng), torch.arange(9) % 3)
    assert energy.class_logits(batch.x, torch.ones(9)).shape == (9, 3)
    both = DenoisingScoreMatching(cross_entropy=0.1).step({"energy": energy}, {}, batch, rng)
    assert float(both.metrics["cross_entropy"]) == pytest.approx(math.log(3), rel=1e-3)  # the last layers begin at zero
    energy.class_logits(batch.x, torch.ones(9))[:, 0].sum().backward()
    network = energy.network.module
    assert network.field.weight.grad is None
    assert network.number.weight.grad[1].abs().sum() > 0
    assert network.number.weight.grad[0].abs().sum() == 0
    assert "cross_entropy" not in Denoising().step({"energy": energy}, {}, batch, rng).metrics


def test_it_learns_where_each_class_is(tmp_path, rng):
    """Two classes of points: samples of each are nearer to their own, and their energies tell them apart."""
    y = torch.arange(2000) % 2
    x = torch.where(y[:, None] == 0, -1.0, 1.0) + 0.3 * torch.randn(2000, 2, generator=rng)
    recipe = NoiseConditionalRecipe(
        network=MLPField((64, 64)),
        class_in="trunk",
        levels=(0.05, 5.0),
        noise=0.1,
        precision="float32",
        objective=DenoisingScoreMatching(-0.5, 1.2, cross_entropy=0.1),
        denoiser=0.5,
        conditional=True,
        guidance=1.5,
        steps=400,
        batch_size=128,
        optimizer=Adam(lr=3e-3, beta1=0.9),
        ema=0.98,
    )
    run = eb.train(recipe, data=(x, y), out=tmp_path / "a")
    model = eb.load(run.path)
    samples = model.sample(200, generator=torch.Generator().manual_seed(0))
    right = (samples.mean(1) > 0) == (torch.arange(200) % 2 == 1)
    assert float(right.float().mean()) > 0.97
    assert float((model.logits(x[:200]).argmax(1) == y[:200]).float().mean()) > 0.97
    scaled = model.spec.domain.encode(x[:10])
    torch.testing.assert_close(model.score(x[:10]), model.levels.free(model.noise)(scaled))


def test_where_the_class_is_seen_must_be_known():
    with pytest.raises(UserError, match="class_in is"):
        NoiseConditionalRecipe(class_in="head")
