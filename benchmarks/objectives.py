"""Objectives on a ring: `python benchmarks/objectives.py` writes results/objectives.json.

Each objective trains a multilayer perceptron on a ring of radius 2 and width 0.1 in two minutes of one thread. Samples
are compared with the ring by the energy distance, and energies with the exact ones by their correlation at points that
are spread evenly near the ring. Chains, a flow or a descent draw samples, as each objective has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import tyro
from rows import Measured
from torch import Tensor

import energybased as eb
from energybased.evaluation.metrics.energy_distance import energy_distance
from energybased.objectives import (
    ContrastiveDivergence,
    DenoisingScoreMatching,
    EnergyDiscrepancy,
    EnergyMatching,
    EquilibriumMatching,
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


def levels(time_score: float) -> Any:
    objective = DenoisingScoreMatching(-1.2, 1.2, time_score=time_score)
    return NoiseConditionalRecipe(
        network=MLPField(HIDDEN), levels=(0.02, 10.0), noise=0.02, precision="float32", objective=objective, **SHARED
    )


CHAINS = eb.Sampler(Langevin.overdamped(0.05), steps=20, length=1000)
OBJECTIVES: dict[str, Callable[[], Any]] = {
    "contrastive divergence": lambda: plain(ContrastiveDivergence(CHAINS.kernel, CHAINS.steps), CHAINS),
    "energy discrepancy": lambda: plain(EnergyDiscrepancy(0.3), CHAINS),
    "denoising": lambda: levels(0.0),
    "denoising and time score": lambda: levels(1.0),
    "energy matching": lambda: plain(EnergyMatching(), DESCENT),
    "equilibrium matching": lambda: plain(EquilibriumMatching(), eb.Sampler(Langevin(0.005, 0.0), length=500)),
}


def main(objectives: tuple[str, ...] = tuple(OBJECTIVES), seeds: tuple[int, ...] = (0,), minutes: float = 2.0) -> None:
    torch.set_num_threads(1)
    found = Measured("objectives", seeds)
    for seed in seeds:
        rng = torch.Generator().manual_seed(seed)
        ring = eb.Ring(2.0, 0.1)
        x, test = ring.sample(20_000, rng), ring.sample(2000, rng)
        square = 8 * torch.rand(4000, 2, generator=rng) - 4
        near = square[(square.norm(dim=1) - 2).abs() < 0.5]
        floor = energy_distance(x[:2000], test)
        for name in objectives:
            recipe = replace(OBJECTIVES[name](), seed=seed, minutes=minutes)
            run = eb.train(
                recipe, data=x, out=Path("runs") / f"objectives-{name.replace(' ', '-')}-{seed}", overwrite=True
            )
            model, seconds = eb.load(run.path), run.lines("metrics.jsonl")[-1]["processor_seconds"]
            samples = model.sample(2000, generator=torch.Generator().manual_seed(seed))
            values = {
                "energy_distance": (
                    energy_distance(samples, test),
                    f"of 2,000 samples to as many points; floor {floor:.2g}",
                ),
                "correlation": (correlation(model.energies(near), ring(near)), f"of energies at {len(near)} points"),
            }
            for metric, (value, protocol) in values.items():
                found.add(value, protocol, seconds, data="ring", system=name, metric=metric)
        found.write()


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1])


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
