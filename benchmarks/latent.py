"""Latent models side by side: `python benchmarks/latent.py mnist-latent-small` writes results/mnist-latent-small.json.

Systems share data, generator, inference, the size of a prior's networks, and updates; autoencoders, whose updates have
no chains, have three times as many. Ratios learn at the rate of the recipe, which was chosen for the stages. Runs are
trained one after the other; those that are there are gone on with. Stop it when you like.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import torch
from rows import RESULTS, row, write

from energybased.data.pictures import grid, save_png
from energybased.errors import require
from energybased.latent import LatentModel
from energybased.recipes import StagedRecipe, find_recipe
from energybased.recipes.systems import SYSTEMS, system
from energybased.runs.judge import load_judge
from energybased.runs.model import load_latent
from energybased.runs.settings import to_json
from energybased.runs.train import resume, train
from energybased.training import Run, checkpoint

COUNT, REPRODUCED = 5000, 1000  # samples, and test examples that are reproduced
CHECKPOINTS = 20
MORE = 3  # times the updates, of autoencoders


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    base = find_recipe(options.recipe)
    assert isinstance(base, StagedRecipe)
    base = base if options.steps is None else replace(base, steps=options.steps)
    data = base.load_data()
    judge, test = load_judge(RESULTS / "judges" / f"{data.name}.safetensors"), data.test.pixels()
    found, took = defaultdict(list), defaultdict(float)
    flags = f" --steps {base.steps}" if options.steps else ""
    seeds = " ".join(map(str, options.seeds))
    command = (
        f"python benchmarks/latent.py {options.recipe} --systems {' '.join(options.systems)} --seeds {seeds}{flags}"
    )
    for seed in options.seeds:
        made = {}
        for name in options.systems:
            recipe = replace(system(name, base), seed=seed)
            recipe = replace(recipe, steps=MORE * base.steps) if recipe.posterior.steps == 0 else recipe
            if name == "stages":  # between whose checkpoints the time to LEBM's distance is read
                recipe = replace(recipe, checkpoint_every=max(1, base.steps // CHECKPOINTS))
            folder = Path("runs") / f"{options.recipe}-{name}-{seed}"
            run = gone_on_with(folder, recipe)
            seconds = spent(run)
            model = load_latent(run.path)
            for what, value in measured(model, judge, data, test, seed).items():
                found[f"{name}: {what}"].append(value)
                took[f"{name}: {what}"] += seconds
                print(seed, name, what, round(value, 4), flush=True)
            found[f"{name}: minutes"].append(seconds / 60)
            took[f"{name}: minutes"] += seconds
            made[name] = run, found[f"{name}: fd"][-1]
            if seed == options.seeds[0]:
                save_png(grid(model.sample(64, seed)), RESULTS / f"{options.recipe}-{name}.png")
            if {"stages", "lebm"} <= made.keys():
                reached = sooner(made["stages"][0], *made["lebm"], judge, test, seed)
                print(seed, "stages: part of LEBM's minutes", reached, flush=True)
                found["stages: part of LEBM's minutes"].append(reached)
                took["stages: part of LEBM's minutes"] += sum(spent(run) for run, _ in made.values())
                made.clear()
            rows = [
                row(k, v, options.seeds[: len(v)], protocol(k.split(": ")[1]), command, took[k])
                for k, v in found.items()
            ]
            write(f"{options.recipe}.json", rows, merge=True)


def measured(model: LatentModel, judge, data, test: torch.Tensor, seed: int) -> dict[str, float]:
    x = test[:REPRODUCED]
    values = {
        "fd": judge.distance(model.sample(COUNT, seed), test),
        "fd of the base": judge.distance(model.generate(model.prior.base.sample(COUNT, generator(seed))), test),
        "fd of posteriors": judge.distance(model.reconstruct(data.train.pixels(slice(COUNT)), seed=seed), test),
        "mse": float(4 * (model.reconstruct(x, seed=seed) - x).square().mean()),
    }
    before = range(1, len(model.prior.active)) if model.chains is None else ()
    return values | {f"fd after {k}": judge.distance(model.sample(COUNT, seed, k), test) for k in before}


def sooner(run, other, distance: float, judge, test: torch.Tensor, seed: int) -> float:
    """The part of the other run's time after which samples are as near as that run's are in the end; inf if never."""
    limit = spent(other)
    times = {line["step"]: line["processor_seconds"] for line in run.lines("metrics.jsonl")}
    steps = sorted(int(folder.name) for folder in checkpoint.whole(run.path / "checkpoints"))
    for step in steps[1:]:
        if judge.distance(load_latent(run.path, step).sample(COUNT, seed), test) <= distance:
            return max(time for at, time in times.items() if at <= step) / limit
    return math.inf


def spent(run: Run) -> float:
    """Processor seconds of a whole training: of one thread, they hardly depend on what runs beside it."""
    lines = run.lines("metrics.jsonl")
    require(all("processor_seconds" in line for line in lines), f"{run.path} is older than the log of processor time")
    return lines[-1]["processor_seconds"]


def gone_on_with(folder: Path, recipe):
    """The finished run of a recipe, which must be that of the run that is there."""
    if not folder.exists():
        return train(recipe, out=folder)
    require(Run.open(folder).recipe["settings"] == to_json(recipe), f"{folder} was trained with other settings")
    return resume(folder)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def protocol(what: str) -> str:
    return PROTOCOLS["fd"].replace("the prior", "its first stages") if what.startswith("fd after") else PROTOCOLS[what]


PROTOCOLS = {
    "fd": f"fd@{COUNT}(judge, test split): g(z), z of the prior as its system samples it",
    "fd of the base": f"fd@{COUNT}(judge, test split): g(z), z of the prior's base",
    "fd of posteriors": f"fd@{COUNT}(judge, test split): g(z), z inferred from training examples",
    "mse": f"of pixels on [-1, 1], {REPRODUCED} test examples, z as training infers it",
    "part of LEBM's minutes": "processor time to a checkpoint as near as LEBM in the end; null if there is none",
    "minutes": "processor time of the training, one thread",
}


if __name__ == "__main__":
    main()
