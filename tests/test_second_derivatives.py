"""Layers that cannot be differentiated twice are named, since torch may take their derivative for a constant."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from energybased import MLP, Classes, UserError, train
from energybased.energies.noise_conditional import NoiseConditional
from energybased.networks import BFloat16
from energybased.objectives import Batch, DenoisingScoreMatching, Distillation, EnergyMatching, EquilibriumMatching
from energybased.objectives.denoising import Denoising
from energybased.objectives.second_derivatives import check_second_derivatives


class Sine(torch.autograd.Function):
    """A sine whose derivative is computed outside of torch's sight."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx, grad):
        return grad.detach() * ctx.saved_tensors[0].detach().cos()


class Once(Sine):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0].cos()


class Applied(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def attention(x):
    x = x.view(-1, 1, 2, 2)
    return F.scaled_dot_product_attention(x, x, x).flatten(1)


def overwritten(x):
    return x.exp().add_(1.0)


class Field(nn.Module):
    """A network over four entries and a level, with a layer in the middle of a sequence."""

    def __init__(self, layer):
        super().__init__()
        self.first, self.body, self.last = nn.Linear(4, 4), nn.Sequential(nn.SiLU(), layer), nn.Linear(4, 4)

    def forward(self, u, log_sigma):
        fields = self.last(self.body(self.first(u) + log_sigma[:, None]))
        return fields[:, None], 0 * log_sigma[:, None]


def energy(layer, wrap=lambda network: network):
    return NoiseConditional.build((4,), wrap(Field(layer)), (0.05, 5.0))


BAD = {
    "once": (Applied(Once.apply), "marked with @once_differentiable"),
    "cut off": (Applied(Sine.apply), "cut off"),
    "attention": (Applied(attention), "is not implemented"),
    "in place": (Applied(overwritten), "modified by an inplace operation"),
}
GOOD = {
    "smooth": nn.SiLU(),
    "in place": nn.SiLU(inplace=True),
    "attention": Applied(lambda x: x * x.softmax(1)),
    "batch norm": nn.BatchNorm1d(4),
    "dropout": nn.Dropout(0.5),
    "kinks": nn.ReLU(),
    "spectral": nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)),
}


@pytest.mark.parametrize("wrap", [lambda network: network, BFloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", BAD)
def test_a_layer_without_second_derivatives_is_named(name, wrap, rng):
    layer, reason = BAD[name]
    with pytest.raises(UserError) as told:
        DenoisingScoreMatching().init({"energy": energy(layer, wrap)}, Batch(torch.rand(8, 4)), rng)
    assert "body.1 (Applied) cannot be differentiated twice" in str(told.value) and reason in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("wrap", [lambda network: network, BFloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", GOOD)
def test_other_layers_pass_and_nothing_changes(name, wrap, rng):
    made = energy(GOOD[name], wrap)
    before = {key: value.clone() for key, value in made.state_dict().items()}
    assert DenoisingScoreMatching().init({"energy": made}, Batch(torch.rand(8, 4)), rng) == {}
    assert all(torch.equal(value, before[key]) for key, value in made.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in made.parameters())
    assert all("forward" not in vars(module) for module in made.modules())


def test_functions_within_a_network_are_those_of_the_network(rng):
    network = nn.Sequential(nn.Linear(4, 4), Applied(lambda x: Once.apply(x).sum(1)))
    with pytest.raises(UserError, match=r"its layer module\.1 \(Applied\)"):
        EnergyMatching().init({"energy": network}, Batch(torch.rand(8, 4)), rng)


@pytest.mark.parametrize("objective", [Denoising(), Distillation()], ids=lambda o: type(o).__name__)
def test_a_denoiser_is_tried_before_its_energy_is_trained(objective, rng):
    with pytest.raises(UserError, match="body"):
        objective.init({"energy": energy(BAD["once"][0])}, Batch(torch.rand(8, 4)), rng)


def test_layers_that_see_the_level_alone_need_no_second_derivative(rng):
    class Level(Field):
        def forward(self, u, log_sigma):
            return super().forward(u, Once.apply(log_sigma))

    made = NoiseConditional.build((4,), Level(nn.SiLU()), (0.05, 5.0))
    assert DenoisingScoreMatching().init({"energy": made}, Batch(torch.rand(8, 4)), rng) == {}


def test_conditions_are_cut_with_the_rows():
    y = torch.arange(8) % 3
    check_second_derivatives(MLP(4, (8,), 3), torch.rand(8, 4), y)
    check_second_derivatives(MLP(4, (8,), (Classes(3), Classes(2))), torch.rand(8, 4), (y, y % 2))


def test_training_stops_before_its_first_update(tmp_path):
    network = nn.Sequential(nn.Linear(4, 4), Applied(Once.apply), nn.Linear(4, 1), nn.Flatten(0))
    with pytest.raises(UserError, match=r"module\.1 \(Applied\) cannot be differentiated twice"):
        train(energy=network, objective=EquilibriumMatching(), data=torch.rand(50, 4), out=tmp_path / "a", steps=2)
