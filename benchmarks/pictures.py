"""How good a recipe's pictures are, over seeds: `python benchmarks/pictures.py mnist-conditional` and the like.

Writes results/RECIPE.json and pictures; reads the judge in results/judges. Seeds run one after the other; runs that
are there are gone on with, or measured again.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import torch
from rows import RESULTS, row, write

from energybased.data.pictures import beside, save_png, sheet
from energybased.recipes import find_recipe
from energybased.runs.judge import load_judge
from energybased.runs.measure import measure
from energybased.runs.model import load
from energybased.runs.train import resume, train


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--unlabelled", action="store_true", help="an unconditional energy")
    parser.add_argument("--long", action="store_true", help="also chains ten times as long")
    options = parser.parse_args()
    name = f"{options.recipe}{'-unlabelled' * options.unlabelled}"
    found, protocols, took, minutes = defaultdict(list), {}, defaultdict(float), []
    for seed in options.seeds:
        recipe = replace(find_recipe(options.recipe), seed=seed)
        recipe = replace(recipe, classes=0) if options.unlabelled else recipe
        data = recipe.load_data()
        folder = Path("runs") / f"{name}-{seed}"
        run = resume(folder) if folder.exists() else train(recipe, out=folder)
        minutes.append(run.lines("metrics.jsonl")[-1]["seconds"] / 60)
        # How samples are drawn may have changed since a run that is there was trained.
        model = replace(load(run.path), own=recipe.fitted(data))
        judge = load_judge(RESULTS / "judges" / f"{data.name}.safetensors")
        measured = measure(model, run, data, judge, seed, options.long)
        for r in measured.rows:
            found[r["what"]].append(r["value"])
            took[r["what"]] += r["seconds"]
            protocols[r["what"]] = r["protocol"]
            print(seed, r["what"], r["value"], flush=True)
        if seed == options.seeds[0]:
            held = sheet(data.test.pixels(in_turn(data.test.y, model.classes)), model.classes)
            for what in {"fd_fresh", "fd_long"} & set(measured.pictures):
                drawn = sheet(measured.pictures[what][:100], model.classes)
                save_png(beside(drawn, held), RESULTS / f"{name}-{what}.png")
        flags = f"{' --unlabelled' * options.unlabelled}{' --long' * options.long}"
        command = f"python benchmarks/pictures.py {options.recipe}{flags} --seeds {' '.join(map(str, options.seeds))}"
        report(name, options.seeds[: len(minutes)], found, protocols, took, minutes, command)


def in_turn(y, classes, columns=10):
    """The rows of the first examples of each class, the classes in turn; of the first examples if there are none."""
    if classes == 0:
        return slice(columns * columns)
    return torch.stack([(y == label).nonzero()[:columns, 0] for label in range(classes)], 1).flatten()


def report(name, seeds, found, protocols, took, minutes, command):
    """Writes what is known after these seeds."""
    trained = 60 * sum(minutes)
    rows = [row(k, v, seeds, protocols[k], command, took[k] + trained) for k, v in found.items()]
    rows.append(row("minutes", minutes, seeds, "wall time of the training alone", command, trained))
    write(f"{name}.json", rows)


if __name__ == "__main__":
    main()
