"""MNIST with one digit left out, and found again: `python benchmarks/anomaly.py` writes results/anomaly.json.

Area under the precision-recall curve of `LatentModel.score`, by the joint energy and by the ratio, the digit that was
left out being what is to be found, the mean over the last three of twenty checkpoints. This script chooses nothing on
it. Autoencoders have three times the updates. Runs that are there are gone on with.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import get_args

import torch
from latent import MORE, gone_on_with, spent
from rows import row, write

from energybased.evaluation.detection import auprc
from energybased.latent.model import ScoreBy
from energybased.recipes import StagedRecipe, find_recipe
from energybased.recipes.systems import system
from energybased.runs.model import load_latent
from energybased.training import Run, checkpoint

SYSTEMS = ("stages", "lebm", "vae")  # whose last checkpoints are all of the last phase
DIGITS = (1, 4, 5, 7, 9)
CHECKPOINTS, LAST = 20, 3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, choices=SYSTEMS)
    parser.add_argument("--digits", type=int, nargs="+", default=list(DIGITS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--pooled", action="store_true", help="the split of 80 to 20 over all examples")
    options = parser.parse_args()
    split = "pooled" if options.pooled else "official"
    asked = (("systems", options.systems), ("digits", options.digits), ("seeds", options.seeds))
    flags = "".join(f" --{name} {' '.join(map(str, values))}" for name, values in asked)
    command = f"python benchmarks/anomaly.py{flags}{' --pooled' * options.pooled}"
    found, protocols, took = defaultdict(list), {}, defaultdict(float)
    for seed in options.seeds:
        for digit in options.digits:
            for name in options.systems:
                base = find_recipe("mnist-anomaly-small")
                assert isinstance(base, StagedRecipe)
                recipe = replace(system(name, base), seed=seed, holdout_class=digit, pooled_split=options.pooled)
                steps = base.steps * (MORE if recipe.posterior.steps == 0 else 1)
                recipe = replace(recipe, steps=steps, checkpoint_every=steps // CHECKPOINTS)
                folder = Path("runs") / f"anomaly-{split}-{name}-{digit}-{seed}"
                run = gone_on_with(folder, recipe)
                test = recipe.load_data().test
                strange = test.y == digit
                models, x = [load_latent(run.path, step) for step in last(run)], test.pixels()
                drawn = [model.posterior_samples(x, seed) for model in models]
                common = float(strange.float().mean())
                for how in get_args(ScoreBy):
                    judges = [replace(model, score_by=how) for model in models]
                    scores = [
                        torch.stack([judge.score_at(x, z) for z in some]).mean(0)
                        for judge, some in zip(judges, drawn, strict=True)
                    ]
                    value = mean(auprc(score[~strange], score[strange]) for score in scores)
                    what = f"{name}, {how}, {split}: digit {digit}"
                    found[what].append(value)
                    took[what] += spent(run)
                    protocols[what] = f"auprc(digit {digit}, {split} split, prevalence {common:.3f}), mean of {LAST}"
                    print(seed, what, round(value, 4), flush=True)
                rows = [row(k, v, options.seeds[: len(v)], protocols[k], command, took[k]) for k, v in found.items()]
                write("anomaly.json", rows, merge=True)


def last(run: Run) -> list[int]:
    """The steps of the last checkpoints."""
    return sorted(int(folder.name) for folder in checkpoint.whole(run.path / "checkpoints"))[-LAST:]


if __name__ == "__main__":
    main()
