"""Objectives in the plane: `python benchmarks/objectives.py` writes results/objectives.json.

Each objective trains a multilayer perceptron on a ring of radius 2 and width 0.1, and on two Gaussians of that width, 4
apart, of which one has a fifth of the data, in two minutes of one thread each, or in a number of updates. Samples are
compared with the density by the energy distance, and energies with the exact ones by their correlation at points near
the data. Where energies have levels of noise, their mean difference from the exact -log p tells whether they are
normalised. Chains, a flow or a descent draw samples, as each objective has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
import tyro
from rows import Measured
from torch import Tensor

import energybased as eb
from energybased.evaluation.metrics.energy_distance import energy_distance
from energybased.models.noise_conditional import NoiseConditionalModel
from energybased.objectives import (
    ContrastiveDivergence,
    DenoisingScoreMatching,
    EnergyDiscrepancy,
    EnergyMatching,
    EquilibriumMatching,
    LevelClassification,
    RecoveryLikelihood,
)
from energybased.recipes.network import Dense, MLPField
from energybased.recipes.noise_conditional import NoiseConditionalRecipe
from energybased.sampling import Langevin
from energybased.training import Adam

ADAM = Adam(lr=1e-3, beta1=0.9, schedule="cosine", warmup=100)
DESCENT = eb.Sampler(Langevin(0.01, 0.0), length=100)
SHARED: dict[str, Any] = {"batch_size": 256, "optimizer": ADAM, "ema": 0.99}
HIDDEN = (128, 128, 128)


def plain(objective: Any, sampler: eb.Sampler) -> Any:
    return eb.recipes.EnergyRecipe(network=Dense(HIDDEN), base="none", objective=objective, sampler=sampler, **SHARED)


def levels(objective: Any) -> Any:
    return NoiseConditionalRecipe(
        network=MLPField(HIDDEN), levels=(0.02, 10.0), noise=0.02, precision="float32", objective=objective, **SHARED
    )


def ring(noise: Tensor) -> Any:
    """The ring with noise of these standard deviations, `(2,)`; exact for a straight line of its width."""
    return eb.Ring(2.0, math.hypot(0.1, float(noise.mean())))


def mixture(noise: Tensor) -> Any:
    """Two far Gaussians with noise of these standard deviations, `(2,)`."""
    covariance = torch.diag(0.1**2 + noise.square())
    return eb.GaussianMixture(torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), covariance.expand(2, 2, 2), [0.2, 0.8])


DENSITIES: dict[str, Callable[[Tensor], Any]] = {"ring": ring, "mixture": mixture}
NEAR = 0.2  # standard deviation of the noise of the points at which energies are compared
MATCHING = DenoisingScoreMatching(-1.2, 1.2)
CHAINS = eb.Sampler(Langevin.overdamped(0.05), steps=20, length=1000)
OBJECTIVES: dict[str, Callable[[], Any]] = {
    "contrastive divergence": lambda: plain(ContrastiveDivergence(CHAINS.kernel, CHAINS.steps), CHAINS),
    "energy discrepancy": lambda: plain(EnergyDiscrepancy(0.3), CHAINS),
    "denoising": lambda: levels(MATCHING),
    "denoising and time score": lambda: levels(replace(MATCHING, time_score=1.0)),
    "denoising and level classification": lambda: levels(LevelClassification(MATCHING, weight=0.3)),
    "recovery likelihood": lambda: levels(RecoveryLikelihood()),
    "energy matching": lambda: plain(EnergyMatching(), DESCENT),
    "equilibrium matching": lambda: plain(EquilibriumMatching(), eb.Sampler(Langevin(0.005, 0.0), length=500)),
}


def main(
    objectives: tuple[str, ...] = tuple(OBJECTIVES),
    data: tuple[str, ...] = tuple(DENSITIES),
    seeds: tuple[int, ...] = (0,),
    minutes: float = 2.0,
    steps: int | None = None,
) -> None:
    """Trains and measures.

    Args:
        objectives: those that are trained.
        data: the densities that they learn.
        seeds: of the data and of the training.
        minutes: of each training.
        steps: updates of each training, instead of minutes.
    """
    torch.set_num_threads(1)
    found = Measured("objectives", seeds)
    budget: dict[str, Any] = {"minutes": minutes} if steps is None else {"minutes": None, "steps": steps}
    told = {} if steps is None else {"budget": f"{steps} updates"}
    for name, seed in product(data, seeds):
        rng, density = torch.Generator().manual_seed(seed), DENSITIES[name](torch.zeros(2))
        x, test = density.sample(20_000, rng), density.sample(2000, rng)
        near = DENSITIES[name](torch.full((2,), NEAR)).sample(2000, rng)
        floor = energy_distance(x[:2000], test)
        for system in objectives:
            out = Path("runs") / f"objectives-{name}-{system.replace(' ', '-')}-{seed}"
            run = eb.train(replace(OBJECTIVES[system](), seed=seed, **budget), data=x, out=out, overwrite=True)
            model, seconds = eb.load(run.path), run.lines("metrics.jsonl")[-1]["processor_seconds"]
            samples = model.sample(2000, generator=torch.Generator().manual_seed(seed))
            domain = model.spec.domain
            scale = torch.tensor(domain.scale)  # of a unit of the model, in which the energies are densities
            exact = DENSITIES[name](model.noise * scale)
            distance = energy_distance(samples, test)
            values = {
                "energy_distance": (distance, f"of 2,000 samples to as many points; floor {floor:.2g}"),
                "correlation": (
                    correlation(model.energies(near), exact(near)),
                    f"of energies at {len(near)} points with noise {NEAR}",
                ),
            }
            if isinstance(model, NoiseConditionalModel):
                difference = model.energies(test) + scale.log().sum() + exact.log_prob(test)
                values["mean_difference"] = (float(difference.mean()), "of energies from -log p, at 2,000 points, nats")
            for metric, (value, protocol) in values.items():
                found.add(value, protocol, seconds, data=name, system=system, metric=metric, **told)
    found.write()


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1])


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
