"""Devices and number types, without a GPU.

Inside `torch.device("meta")`, a tensor that is made without saying where holds no numbers, so that no computation with
tensors of the processor can use it. What runs there, with all inputs on the processor, names the device of every
tensor that it makes.
"""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from energybased import HMC, MALA, Energy, Langevin, Network, StandardNormal, UserError, adapt, mean, mixture, sample
from energybased.energies import (
    ANALYTIC,
    NEURAL,
    Contaminated,
    Measured,
    PrincipalMixture,
    Ratio,
    Ratios,
    Reconstruction,
    Through,
    Tilted,
)
from energybased.networks import MLP, BatchedMLP, BFloat16, Residual, Separable, Stage, dense_encoder, dense_generator
from energybased.sampling import KERNELS, Streams, advance
from energybased.sampling.annealed import anneal
from energybased.sampling.fastest import fastest

DTYPES = (torch.float32, torch.float64)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def trap():
    return torch.device("meta")


def generator(seed=0):
    return torch.Generator("cpu").manual_seed(seed)


def sound(*values, dtype):
    for value in values:
        assert value.device.type == "cpu" and value.dtype == dtype and value.isfinite().all()


def evaluate(energy, x):
    """Everything that is asked of an energy, in the trap."""
    with trap():
        values = energy(x)
        with torch.no_grad():
            value, grad = energy.value_and_grad(x)
        part = energy.select([0, 2])(x[[0, 2]])
        repeated = energy.expand(2)(x.repeat_interleave(2, 0))
    sound(values, value, grad, part, repeated, dtype=x.dtype)


@each_dtype
@pytest.mark.parametrize("make", ANALYTIC, ids=lambda make: type(make()).__name__)
def test_analytic_energies(make, dtype):
    energy, x = make().to(dtype), torch.randn(5, 2, dtype=dtype)
    evaluate(energy, x)
    with trap():
        made = energy.sample(7, generator()), energy.sample(7), energy.log_z, energy.log_prob(x)
    sound(*made, dtype=dtype)
    assert made[0].shape == (7, 2)


@each_dtype
@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("make", NEURAL, ids=lambda make: type(make(0)).__name__)
def test_neural_energies(make, classes, dtype):
    energy, x = make(classes).to(dtype), torch.randn(5, 1, 8, 8, dtype=dtype)
    evaluate(energy.given(torch.tensor([0, 1, 2, 0, 1])) if classes else energy, x)
    if classes:
        evaluate(energy.given(2), x)


@each_dtype
def test_the_other_energies(dtype):
    z, x = torch.randn(4, 3, dtype=dtype), torch.rand(4, 1, 2, 2, dtype=dtype)
    made = dense_generator(3, (8,), (1, 2, 2))
    evaluate(Reconstruction(made, x, 0.3).to(dtype), z)
    evaluate(Through(made, Measured(x, torch.where(x > 0.5, torch.inf, 0.3))).to(dtype), z)
    evaluate(Contaminated(x, 0.3, (x > 0.5).to(dtype)).to(dtype), x + 0.1)
    evaluate(Measured(x.mean((2, 3), keepdim=True), 0.3, Separable.average((1, 2, 2), 2)).to(dtype), x)
    evaluate(Ratio(MLP(3, (4,))).to(dtype), z)
    evaluate(Ratios(BatchedMLP(3, (4,), 2), torch.ones(1), after=1).to(dtype), z)
    pictures, residual = torch.rand(4, 1, 8, 8, dtype=dtype), Residual((1, 8, 8), 4, (Stage(8, halve=True),), 3)
    evaluate(Network(residual).to(dtype).given(torch.tensor([0, 1, 2, 0])), pictures)
    encoder = dense_encoder((1, 2, 2), (4,), 3).to(dtype)
    with trap():
        sound(encoder.sample(x, generator()), dtype=dtype)


@each_dtype
def test_the_algebra(dtype):
    a, b = (make().to(dtype) for make in ANALYTIC[1:3])
    x, weights = torch.randn(5, 2, dtype=dtype), torch.rand(5)
    free, network = torch.tensor([True, False]), nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)).to(dtype)
    with trap():  # composites as well, but for tensors of the user's
        energies = (
            a + b,
            a - 2 * b + 1.0,
            -a / 2,
            a | b,
            mixture([a, b], [0.5, -0.5]),
            mean([a, network]),
            weights * a,
            a * weights.double() + 1,
            a + network,
            a.pin(x, free) + b,
            (a | network).pin(x, free),
        )
    for energy in energies:
        evaluate(energy, x)


@each_dtype
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_kernels_and_chains(kernel, dtype):
    energy, x = ANALYTIC[1]().to(dtype), torch.randn(5, 2, dtype=dtype)
    with trap():
        state, info = kernel.step(energy, kernel.init(energy, x), generator())
        samples = sample(energy, x, kernel, 30, generator(), keep_every=10)
        assert sample(energy, x, kernel, 30).x.isfinite().all()
        report = [samples.info.r_hat, samples.info.ess, samples.info.ess_tail, samples.info.energy_ess]
        advance(energy, samples.x, kernel, 5, generator(), momentum=samples.momentum)
    sound(state.x, samples.x, samples.trace, info.energy, dtype=dtype)
    sound(*report, samples.info.acceptance, dtype=torch.float64)


@each_dtype
def test_adaptation_annealing_and_streams(dtype):
    energy, start = StandardNormal(2).to(dtype), torch.randn(50, 2, dtype=dtype)
    with trap():
        tuned, x = adapt(MALA(0.5), energy, start, steps=20, generator=generator())
        annealed = anneal(energy, [energy], start, HMC(0.3, 2), 5, generator=generator(), target_ess=0.9)
        resampled = annealed.resample(generator()), annealed.resample()
        streams = Streams.of(generator(), start)
        drawn = streams.select([0, 3]).normal(start[:2]), streams.uniform(start)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that this kernel is not compiled
            assert fastest(energy, start, Own(0.1, 0.1), 2) in ("eager", "compiled")
    assert tuned.step_size > 0
    sound(x, annealed.x, *resampled, *drawn, dtype=dtype)
    sound(annealed.log_weights, dtype=torch.float64)


class Own(Langevin):
    """A kernel that is not compiled."""


@each_dtype
def test_fits(dtype):
    x = torch.randn(40, 5, dtype=dtype)
    network = MLP(5, (4,)).to(dtype)
    with trap():
        mixed = PrincipalMixture.fit(x, 2, 3, generator())
        tilted = Tilted.fit(x, 0.1, network)
    sound(mixed(x), mixed.sample(3, generator()), tilted(x).detach(), dtype=dtype)


def test_numpy_starts_and_functions():
    start = np.zeros((4, 2))
    samples = sample(lambda x: 0.5 * x.square().sum(1), start, MALA(0.5), 20, generator())
    expected = sample(StandardNormal(2), torch.zeros(4, 2).double(), MALA(0.5), 20, generator())
    assert torch.equal(samples.x, expected.x) and samples.x.dtype == torch.float64
    assert sample(nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)), start.astype("f"), MALA(0.1), 3).x.shape == (4, 2)
    assert adapt(MALA(0.5), lambda x: x.square().sum(1), start, steps=10)[1].shape == (4, 2)
    assert anneal(StandardNormal(2), [lambda x: x.square().sum(1)], torch.randn(4, 2), MALA(0.5), 3).x.shape == (4, 2)
    with pytest.raises(UserError, match="not an energy"):
        sample(3, start, MALA(0.5), 1)
    with pytest.raises(UserError, match="an energy maps"):
        sample(lambda x: x.square(), start, MALA(0.5), 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_chains_in_half_precision_are_refused(dtype):
    with pytest.raises(UserError, match="start in float32"):
        sample(StandardNormal(2), torch.zeros(3, 2, dtype=dtype), MALA(0.1), 1)
    assert sample(BFloat16(MLP(2, (4,))), torch.zeros(3, 2), MALA(0.1), 3).x.dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_on_a_gpu(kernel):
    energy: Energy = ANALYTIC[1]().cuda() | StandardNormal(2).cuda()
    for seeds in (generator(), torch.Generator("cuda").manual_seed(0), None):
        samples = sample(energy, torch.randn(5, 2).cuda(), kernel, 30, seeds)
        assert samples.x.is_cuda and samples.info.ess.isfinite().all()
    assert ANALYTIC[2]().cuda().sample(3, generator()).is_cuda
