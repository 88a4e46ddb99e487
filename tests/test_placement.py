"""Objectives and models make every tensor where it belongs, in float32 and float64.

Inside `torch.device("meta")` a tensor that is made without saying where has no values: to compute with it and one on
the processor fails. Constructors and optimisers are left out, where torch's own fail.
"""

from dataclasses import replace

import pytest
import torch

from energybased import EnergyModel, Langevin, LatentModel, Sampler, StandardNormal
from energybased.data import DataSpec, Pixels, Reals
from energybased.energies import MLP
from energybased.latent import OBJECTIVES as LATENT
from energybased.latent import EnergyPrior, ShortRun, StagedPrior
from energybased.models import Judge
from energybased.models.blur import Blur, LowResolution
from energybased.models.degradation import GaussianNoise, SaltPepper
from energybased.networks import BatchedMLP, dense_encoder, dense_generator
from energybased.networks.judge import JudgeNetwork
from energybased.objectives import OBJECTIVES, Batch, Refreshing

TYPES = (torch.float32, torch.float64)
DEGRADATIONS = (GaussianNoise(0.2), SaltPepper(0.5), Blur(0.5), LowResolution(2))


def rng():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize(("objective", "build"), OBJECTIVES + LATENT, ids=lambda o: type(o).__name__)
def test_objectives(objective, build, dtype):
    parts = {name: part.to(dtype) for name, part in build().items()}
    x = torch.rand(8, 1, 2, 2, generator=rng(), dtype=dtype)
    batch = Batch(x, torch.arange(8) % 2, domain=Pixels())
    with torch.device("meta"):
        state = objective.init(parts, batch, rng())
        for _ in range(2):
            result = objective.step(parts, state, batch, rng())
            state = result.state
        if isinstance(objective, Refreshing):
            state = objective.refresh(parts, state, batch, rng())
    assert all(value.device.type == "cpu" for value in state.values())
    assert all(loss.device.type == "cpu" and loss.dtype == dtype for loss in result.losses.values())


def energy(classes):
    spec = DataSpec((1, 2, 2), Pixels())
    sampler = Sampler(Langevin(0.1, 0.05, bounds=(0.0, 1.0)), 2, 5)
    from energybased.conditions import as_conditions

    return EnergyModel(MLP(4, (8,), classes), spec, sampler, 0.1, as_conditions(classes))


def latent(prior):
    generator, encoder = dense_generator(2, (8,), (1, 2, 2)), dense_encoder((1, 2, 2), (8,), 2)
    return LatentModel(generator, prior, steps=2, encoder=encoder, spec=DataSpec((1, 2, 2), Pixels()))


def staged():
    prior = StagedPrior(StandardNormal(2), BatchedMLP(2, (8,), 2))
    prior.active.fill_(1)
    return prior


MODELS = {
    "energy": lambda: energy(0),
    "conditional": lambda: energy(3),
    "standardised": lambda: replace(energy(0), spec=DataSpec((1, 2, 2), Reals((1.0,) * 4, (2.0,) * 4))),
    "judge": lambda: Judge(JudgeNetwork((1, 4, 4), 3), DataSpec((1, 4, 4), Pixels())),
    "normal": lambda: latent(StandardNormal(2)),
    "staged": lambda: latent(staged()),
    "short-run": lambda: latent(
        EnergyPrior(
            StandardNormal(2), torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Flatten(0)), ShortRun(steps=2)
        )
    ),
}


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_models(name, dtype):
    torch.manual_seed(0)
    model = MODELS[name]().to("cpu", dtype)
    x = torch.rand(3, *model.spec.event, generator=rng(), dtype=dtype)
    with torch.device("meta"):
        made = [model.score(x, generator=rng())]
        if "samples" in model.offers:
            made += [model.sample(3, generator=rng()), model.film(generator=rng())]
            free = torch.arange(x.shape[-1], device="cpu") == 0
            made.append(model.restore(x, free, steps=2, generator=rng()))
            for degradation in DEGRADATIONS if isinstance(model.spec.domain, Pixels) else ():
                y = degradation.apply(x, rng())
                made.append(model.restore(y, degradation=degradation, steps=2, generator=rng()))
        if model.classes:
            made.append(model.given(1).sample(2, generator=rng()))
        if "latent vectors" in model.offers:
            made += (
                [model.reconstruct(x, generator=rng()), model.log_prob(x, particles=2, levels=2, generator=rng())]
                if name == "normal"
                else []
            )
    assert all(value.device.type == "cpu" and value.dtype == dtype for value in made)


def test_a_model_moves_as_a_copy():
    model = energy(0)
    double = model.to(dtype=torch.float64)
    assert double.place.dtype == torch.float64 and model.place.dtype == torch.float32
    torch.testing.assert_close(double.score(x := torch.rand(3, 1, 2, 2)), model.score(x).double())
