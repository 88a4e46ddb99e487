"""How good a recipe's pictures are, over seeds: `python benchmarks/pictures.py mnist-conditional` and the like.

Writes results/RECIPE.json and pictures; reads the judge in results/judges. Seeds run one after the other.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import replace

from rows import RESULTS, row, write

from energybased.data.pictures import beside, save_png, sheet
from energybased.recipes import find_recipe
from energybased.runs.judge import load_judge
from energybased.runs.measure import measure
from energybased.runs.model import load
from energybased.runs.train import train


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
        began = time.monotonic()
        run = train(recipe, out=f"runs/{name}-{seed}", overwrite=True)
        minutes.append((time.monotonic() - began) / 60)
        model, judge = load(run.path), load_judge(RESULTS / "judges" / f"{data.name}.safetensors")
        measured = measure(model, run, data, judge, seed, options.long)
        for r in measured.rows:
            found[r["what"]].append(r["value"])
            took[r["what"]] += r["seconds"]
            protocols[r["what"]] = r["protocol"]
            print(seed, r["what"], r["value"], flush=True)
        if seed == options.seeds[0]:
            held = sheet(data.test.pixels(slice(100)), model.classes)
            for what in {"fd_fresh", "fd_long"} & set(measured.pictures):
                drawn = sheet(measured.pictures[what][:100], model.classes)
                save_png(beside(drawn, held), RESULTS / f"{name}-{what}.png")
        flags = f"{' --unlabelled' * options.unlabelled}{' --long' * options.long}"
        command = f"python benchmarks/pictures.py {options.recipe}{flags} --seeds {' '.join(map(str, options.seeds))}"
        report(name, options.seeds[: len(minutes)], found, protocols, took, minutes, command)


def report(name, seeds, found, protocols, took, minutes, command):
    """Writes what is known after these seeds."""
    trained = 60 * sum(minutes)
    rows = [row(k, v, seeds, protocols[k], command, took[k] + trained) for k, v in found.items()]
    rows.append(row("minutes", minutes, seeds, "wall time of the training alone", command, trained))
    write(f"{name}.json", rows)


if __name__ == "__main__":
    main()
