"""How good the digits are, over seeds: `python benchmarks/digits.py [--unlabelled]`.

Writes results/digits.json or results/digits-unlabelled.json.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

from rows import RESULTS, row, write

from energybased.data import load_data
from energybased.data.pictures import beside, save_png, sheet
from energybased.recipes import digits
from energybased.runs.judge import train_judge
from energybased.runs.measure import measure
from energybased.runs.model import load
from energybased.runs.train import train


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--unlabelled", action="store_true", help="an unconditional energy")
    options = parser.parse_args()
    name = "digits-unlabelled" if options.unlabelled else "digits"
    changes = {"classes": 0} if options.unlabelled else {}
    data, found, protocols, took = load_data("digits"), defaultdict(list), {}, defaultdict(float)
    judge, trained = train_judge(out=f"runs/{name}-judge"), 0.0
    RESULTS.mkdir(exist_ok=True)
    for seed in options.seeds:
        began = time.monotonic()
        run = train(digits(seed=seed, **changes), out=f"runs/{name}-{seed}", overwrite=True)
        trained += time.monotonic() - began
        model = load(run.path)
        measured = measure(model, run, data, judge, seed, long=True)
        for r in measured.rows:
            found[r["what"]].append(r["value"])
            took[r["what"]] += r["seconds"]
            protocols[r["what"]] = r["protocol"]
        if seed == options.seeds[0]:
            for what in ("fd_fresh", "fd_long"):
                drawn = sheet(measured.pictures[what][:80], model.classes)
                save_png(
                    beside(drawn, sheet(data.test.pixels(slice(80)), model.classes)), RESULTS / f"{name}-{what}.png"
                )
    command = f"python benchmarks/digits.py{' --unlabelled' if options.unlabelled else ''}"
    rows = [row(k, v, options.seeds, protocols[k], command, took[k] + trained) for k, v in found.items()]
    write(f"{name}.json", rows)


if __name__ == "__main__":
    main()
