"""The networks over images: the paper's sizes, spectral norms, conditions."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from energybased import ContrastiveDivergence, Langevin, ReplayBuffer
from energybased.networks import BatchedMLP, BFloat16, Residual, Stage, deconvolutional_generator, groups
from energybased.networks.generator import CELEBA64, CIFAR10, MNIST, SVHN
from energybased.networks.spectral import SpectralNorm, normalised, power_iteration
from energybased.objectives import Batch


def weights(network):
    return sum(p.numel() for name, p in network.named_parameters() if "weight" in name)


def plain(*widths):
    return [Stage(width, halve=True, plain=True) for width in widths]


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (  # MNIST: 3x3 to 64; 4x4 to 64, 128, 256, each halving; 4 x 4 x 256 to 128; to 1
            lambda: Residual((1, 28, 28), 64, plain(64, 128, 256), dense=128),
            9 * 64 + 16 * (64 * 64 + 64 * 128 + 128 * 256) + 4096 * 128 + 128,
        ),
        (  # dSprites: 3x3 to 32; 4x4 to 64, 128, 128, 128, each halving; 4 x 4 x 128 to 128; to 1
            lambda: Residual((1, 64, 64), 32, plain(64, 128, 128, 128), 3, "swish", dense=128),
            9 * 32 + 16 * (32 * 64 + 64 * 128 + 2 * 128 * 128) + 2048 * 128 + 128,
        ),
    ],
)
def test_the_papers_smaller_networks_layer_by_layer(build, count):
    network = build()
    assert weights(network) == count
    y = None if network.classes == 0 else torch.zeros(2, dtype=torch.int64)
    assert network(torch.rand(2, 1, *((28, 28) if network.classes == 0 else (64, 64))), y).shape == (2,)


@pytest.mark.parametrize(
    ("build", "millions"),
    [
        (lambda: Residual((3, 32, 32), 128, groups(128, 256, 256, blocks=2), classes=10), 5.3),
        (lambda: Residual((3, 32, 32), 128, groups(128, 256, 512, blocks=3), dropout=0.5), 18.6),
        (lambda: Residual((3, 32, 32), 128, groups(256, 512, 1024, blocks=3), classes=10), 74.3),  # the wide one
    ],
)
def test_the_papers_numbers_of_weights(build, millions):
    assert round(weights(build()) / 1e6, 1) == millions


def test_spectral_norm_converges_to_the_largest_singular_value(rng):
    layer = nn.Conv2d(3, 8, 3, bias=False)
    largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
    raw = layer.weight.detach().clone()
    normalised(layer)
    for _ in range(200):
        power_iteration(layer)
    torch.testing.assert_close(layer.weight, raw / largest, rtol=1e-4, atol=1e-6)


def test_a_capped_norm_leaves_small_weights_alone():
    norm, small = SpectralNorm(4, capped=True).train(), 1e-3 * torch.eye(4)
    torch.testing.assert_close(norm(small), small)
    weight = torch.diag(torch.tensor([5.0, 1.0, 0.5, 0.1]))
    for _ in range(100):
        norm.iterate(weight)
    large = norm(weight)
    torch.testing.assert_close(torch.linalg.matrix_norm(large, 2), torch.tensor(1.0), rtol=1e-3, atol=0)


def test_one_power_iteration_an_update(rng):
    """As the paper: the vector moves by one iteration, however many chain steps and energies an update takes.

    The chain's weight is that of the energies: it sees the vector after the iteration.
    """
    network = Residual((1, 8, 8), 4, [Stage(8, halve=True)]).train()
    norm = network.stem.conv.parametrizations.weight[0]
    weight = network.stem.conv.parametrizations.weight.original.detach().flatten(1)
    before = norm.u.clone()
    objective = ContrastiveDivergence(Langevin(0.1, 0.01), steps=4, buffer=ReplayBuffer(capacity=4))
    batch = Batch(torch.rand(4, 1, 8, 8, generator=rng))
    parts = {"energy": network}
    objective.step(parts, objective.init(parts, batch, rng), batch, rng)
    once = F.normalize(weight @ F.normalize(weight.T @ before, dim=0), dim=0)
    torch.testing.assert_close(norm.u, once)
    network(batch.x).sum().backward()
    torch.testing.assert_close(norm.u, once)
    assert not torch.allclose(before, once)


def test_a_block_begins_as_its_skip():
    network = Residual((1, 8, 8), 4, [Stage(4)]).eval()
    x = torch.rand(2, 1, 8, 8)
    h = network.activation(network.stem(x, None))
    torch.testing.assert_close(network.stages[0](h, None), network.activation(h))


@pytest.mark.parametrize("plain", [False, True])
def test_a_condition_changes_its_rows_alone(plain, rng):
    network = Residual((3, 9, 9), 4, [Stage(6, True, plain), Stage(8, False, plain)], 3, "swish", dense=5).eval()
    for p in network.parameters():
        p.data += 0.1 * torch.randn(p.shape, generator=rng)
    x, y = torch.rand(2, 3, 9, 9, generator=rng), torch.tensor([0, 2])
    values = network(x, y)
    other = network(x, torch.tensor([0, 1]))
    assert values.shape == (2,) and values[0] == other[0] and values[1] != other[1]


@pytest.mark.parametrize(
    ("dim", "layers", "event", "count"),
    [  # as the released code of those who compare on them
        (100, SVHN, (3, 32, 32), 3_447_683),
        (100, CELEBA64, (3, 64, 64), 12_656_515),
        (128, CIFAR10, (3, 32, 32), 18_883_075),
        (8, MNIST, (1, 28, 28), 10_891_265),
    ],
)
def test_generators_have_the_published_sizes(dim, layers, event, count):
    with torch.device("meta"):
        generator = deconvolutional_generator(dim, layers)
        assert generator(torch.randn(2, dim)).shape == (2, *event)
    assert sum(p.numel() for p in generator.parameters()) == count


def test_parallel_is_its_perceptrons_one_by_one(rng):
    together, x = BatchedMLP(5, (7, 6), 3), torch.randn(4, 5, generator=rng)
    assert not together(x).any()
    nn.init.normal_(together.weights[-1])
    for k in range(3):
        torch.testing.assert_close(together(x)[:, k], together.one(k)(x))
    torch.testing.assert_close(together(x, slice(1, 3)), together(x)[:, 1:])


class Brittle(nn.Module):
    """A linear network with an operator of its own after it."""

    def __init__(self, operator):
        super().__init__()
        self.linear, self.operator = nn.Linear(4, 1), operator

    def forward(self, x):
        return self.operator(self.linear(x)).squeeze(1)


def refuse(x):
    if x.dtype == torch.bfloat16:
        raise RuntimeError("operator not implemented for 'BFloat16'\nand more")
    return x


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        (lambda x: x, None),
        (refuse, "operator not implemented for 'BFloat16'"),
        (lambda x: x * (torch.nan if x.dtype == torch.bfloat16 else 1), "its gradient is not finite"),
        (lambda x: x * (-1 if x.dtype == torch.bfloat16 else 1), "the cosine of its gradient .* is -1.00"),
    ],
)
def test_what_breaks_in_bfloat16_is_said(operator, words, rng):
    fault = BFloat16(Brittle(operator)).fault(torch.randn(8, 4, generator=rng))
    assert fault is None if words is None else re.fullmatch(f"{words}.*", fault)
