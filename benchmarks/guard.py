"""Training with faults, with the guard on and off: `python benchmarks/guard.py` writes results/guard.json."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
import tyro
from rows import Measured
from torch import nn

import energybased as eb
from energybased.evaluation.frechet import judge_distance
from energybased.objectives import ContrastiveDivergence
from energybased.recipes import Dense, EnergyRecipe, digits
from energybased.runs.judge import find_judge

LOST = 1e6  # largest distance
calls: list[int] = []


class Squared(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x, y):
        return self.module(x, y).relu().square()


@dataclass(frozen=True)
class SquaredReLU(Dense):
    def build(self, event, conditions):
        return Squared(super().build(event, conditions))


@dataclass(frozen=True)
class Poisoned(ContrastiveDivergence):
    """Contrastive divergence that once overwrites half of the replay buffer with values far outside the data."""

    at: int = 0

    def step(self, parts, state, batch, rng):
        calls.append(1)
        if len(calls) == self.at:
            state["x"][::2] = 30.0
        return super().step(parts, state, batch, rng)


def poisoned(recipe: EnergyRecipe) -> EnergyRecipe:
    calls.clear()
    data = recipe.load_data()
    old = recipe.resolve(data).learning(data.spec)
    return replace(
        recipe, objective=Poisoned(**{f.name: getattr(old, f.name) for f in fields(old)}, at=recipe.steps // 2)
    )


FAULTS: dict[str, Callable[[EnergyRecipe], EnergyRecipe]] = {
    "none": lambda recipe: recipe,
    "learning rate x 100": lambda r: replace(r, optimizer=replace(r.optimizer, lr=100 * r.optimizer.lr)),
    "squared-ReLU energy": lambda recipe: replace(recipe, network=SquaredReLU(recipe.network.hidden)),
    "buffer poisoned once": poisoned,
}


def one(job: tuple[str, str, int, int]) -> tuple[float, str, float]:
    """Trains one run with one fault, on one thread. Returns its distance, the actions of the guard, and seconds."""
    torch.set_num_threads(1)
    (fault, guard, seed, steps), began = job, time.monotonic()
    recipe = FAULTS[fault](digits(seed=seed, steps=steps, guard=guard))
    run = eb.train(recipe, out=f"runs/guard/{fault.replace(' ', '-')}-{guard}-{seed}", overwrite=True)
    rollbacks = sum(line["event"] == "rollback" for line in run.lines("events.jsonl"))
    note = f"{rollbacks} rollbacks" + (f", {run.outcome}" if run.outcome != "finished" else "")
    data, value = recipe.load_data(), math.inf
    try:
        x = eb.load(run.path).sample(1000, generator=torch.Generator().manual_seed(seed))
        value = judge_distance(find_judge(data), x, data.values(data.test)) if bool(x.isfinite().all()) else math.inf
    except Exception as error:  # a diverged energy is a result, too
        print(f"    {error}")
    print(*job, round(value, 1), note, flush=True)
    return min(value, LOST), note, time.monotonic() - began


def main(steps: int = digits().steps, seeds: tuple[int, ...] = (0, 1, 2)) -> None:
    pairs = [(fault, guard) for fault in FAULTS for guard in ("on", "off") if (fault, guard) != ("none", "off")]
    jobs, found = [(*pair, seed, steps) for pair in pairs for seed in seeds], Measured("guard", seeds)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = dict(zip(jobs, pool.map(one, jobs, chunksize=1), strict=True))
    for fault, guard, seed, _ in jobs:
        protocol = f"FD of fresh chains / that of the healthy run with the same seed, {steps} updates, guard {guard}"
        runs = [results[fault, guard, s, steps] for s in seeds]
        more = {"fd": [round(value, 2) for value, _, _ in runs], "events": [note for _, note, _ in runs]}
        names = {"data": "digits", "system": "digits", "metric": "fd_ratio", "variant": fault, "guard": guard}
        value, _, seconds = results[fault, guard, seed, steps]
        found.add(value / results["none", "on", seed, steps][0], protocol, seconds, more, **names)
    found.write()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
