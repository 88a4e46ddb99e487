"""Objectives on pictures: `python benchmarks/picture_objectives.py` writes results/picture_objectives.json.

Each objective trains on Fashion-MNIST without labels, by multilayer perceptrons of the same widths, in fifteen minutes
of one thread each. The Fréchet distance of 1,000 samples to the test split, and the share of samples that the judge is
sure of. The objectives in the plane are in `objectives.py`. No other program should run on the same core.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import tyro
from rows import RESULTS, Measured

import energybased as eb
from energybased.data.pictures import grid, save_png
from energybased.evaluation.frechet import judge_distance
from energybased.objectives import (
    DenoisingScoreMatching,
    EnergyDiscrepancy,
    EnergyMatching,
    EquilibriumMatching,
    LevelClassification,
    RecoveryLikelihood,
)
from energybased.recipes import find_recipe
from energybased.recipes.network import Dense, MLPField
from energybased.runs.evaluate import subject_of
from energybased.sampling import Langevin

HIDDEN, SAMPLES, SURE = (1024, 512), 1000, 0.9
SHARED: dict[str, Any] = {"data": "fashion-mnist", "conditional": False, "precision": "float32"}


def chains(objective: Any = None) -> Any:
    """The recipe `fashion` without labels, by contrastive divergence or by another objective."""
    recipe = find_recipe("fashion")
    buffer = replace(recipe.buffer, by_class=False)  # type: ignore[attr-defined]
    return replace(recipe, buffer=buffer, objective=objective, score_by="energy", **SHARED)


def descent(objective: Any, step: float, length: int) -> Any:
    """An energy of which samples are found by descent from noise; it is the density of nothing."""
    sampler = eb.Sampler(Langevin(step, 0.0), length=length)
    return replace(chains(objective), base="none", data_noise=0.0, network=Dense(HIDDEN), sampler=sampler)


def levels(objective: Any, denoiser: float = 0.0) -> Any:
    recipe = find_recipe("fashion-energy")
    return replace(recipe, network=MLPField(HIDDEN), objective=objective, denoiser=denoiser, batch_size=200, **SHARED)


MATCHING = DenoisingScoreMatching()
OBJECTIVES: dict[str, Callable[[], Any]] = {
    "contrastive divergence": chains,
    "energy discrepancy": lambda: chains(EnergyDiscrepancy(0.3)),
    "denoising": lambda: levels(MATCHING),
    "a denoiser, then its energy": lambda: levels(MATCHING, 0.75),
    "denoising and time score": lambda: levels(replace(MATCHING, time_score=1.0)),
    "denoising and level classification": lambda: levels(LevelClassification(MATCHING, weight=0.3)),
    "recovery likelihood": lambda: levels(RecoveryLikelihood()),
    "energy matching": lambda: descent(EnergyMatching(), 0.01, 100),
    "equilibrium matching": lambda: descent(EquilibriumMatching(), 0.005, 500),
}


def main(
    objectives: tuple[str, ...] = tuple(OBJECTIVES), minutes: float = 15.0, steps: int | None = None, seed: int = 0
) -> None:
    """Trains and measures.

    Args:
        objectives: those that are trained.
        minutes: of each training.
        steps: updates of each training, instead of minutes.
    """
    torch.set_num_threads(1)
    found = Measured("picture_objectives", [seed])
    budget: dict[str, Any] = {"minutes": minutes} if steps is None else {"minutes": None, "steps": steps}
    for system in objectives:
        out = Path("runs") / f"picture-objectives-{system.replace(' ', '-').replace(',', '')}"
        run = eb.train(replace(OBJECTIVES[system](), seed=seed, **budget), out=out, overwrite=True)
        subject, seconds = subject_of(run), run.lines("metrics.jsonl")[-1]["processor_seconds"]
        assert subject.judge is not None
        x = subject.model.sample(SAMPLES, generator=subject.rng()).cpu()
        values = {
            "fd": (
                judge_distance(subject.judge, x, subject.test),
                f"fd@{SAMPLES}(judge, {len(subject.test)} pictures)",
            ),
            "confident": (
                float((subject.judge.probabilities(x).amax(1) > SURE).float().mean()),
                f"share of {SAMPLES} samples with judge confidence > {SURE}",
            ),
            "minutes": (seconds / 60, "CPU time of the training"),
        }
        for metric, (value, protocol) in values.items():
            fields = {"data": subject.data.name, "system": system, "metric": metric, "split": "test"}
            found.add(value, protocol, seconds, **fields)
        found.write()
        save_png(grid(x[:40], 10), RESULTS / f"picture-objectives-{system.replace(' ', '-').replace(',', '')}.png")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
