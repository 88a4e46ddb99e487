"""Energies over real numbers: `python benchmarks/reals.py tables FOLDER` and `python benchmarks/reals.py ring`.

    tables FOLDER   the recipe `table` on three tables of ADBench (.npz in FOLDER): the energy distance of samples,
                    of training rows and of one Gaussian to the test split: results/tables.json
    ring            `ContrastiveDivergence(Langevin.overdamped(0.1))` with all other settings at their defaults, on a
                    ring of radius 2 and width 0.25: the mean and standard deviation of the radius of samples:
                    results/defaults.json

Runs are in runs/. A run that exists is continued if it is unfinished, and then measured. All use one thread.
"""

from __future__ import annotations

from pathlib import Path

import torch
import tyro
from rows import Measured
from tyro.conf import Positional

import energybased as eb
from energybased.runs.evaluate import subject_of, timed

TABLES = ("28_pendigits", "23_mammography", "38_thyroid")  # chosen before any measurement on them
Seeds = tuple[int, ...]


def tables(folder: Positional[Path], /, seeds: Seeds = (0, 1, 2)) -> None:
    found = Measured("tables", seeds, "python benchmarks/reals.py tables FOLDER")
    for name in TABLES:
        for seed in seeds:
            out = Path("runs") / f"table-{name}-{seed}"
            recipe = eb.recipes.table(data=str(folder / f"{name}.npz"), seed=seed)
            run = eb.resume(out) if out.exists() else eb.train(recipe, out=out)
            seconds = run.lines("metrics.jsonl")[-1]["seconds"]
            for row in timed("energy_distance", subject_of(run)):
                fields = {"data": name, "system": row.system, "metric": row.metric}
                found.add(row.value, row.protocol, row.seconds + seconds, **fields)
            fields = {"data": name, "system": "table", "metric": "minutes"}
            found.add(seconds / 60, "wall time of the training, one thread", seconds, **fields)
            found.write()


def ring(seeds: Seeds = (0, 1, 2)) -> None:
    found = Measured("defaults", seeds)
    for seed in seeds:
        out = Path("runs") / f"ring-{seed}"
        points = eb.Ring(2.0, 0.25).sample(5000, torch.Generator().manual_seed(seed))
        torch.manual_seed(seed)
        energy, objective = eb.MLP(2), eb.ContrastiveDivergence(eb.Langevin.overdamped(0.1))
        own = {"energy": energy, "objective": objective, "steps": 2000}
        run = eb.resume(out, **own) if out.exists() else eb.train(**own, data=points, out=out)
        model, seconds = eb.load(run.path, energy=energy), run.lines("metrics.jsonl")[-1]["seconds"]
        radius = model.sample(5000, generator=torch.Generator().manual_seed(seed)).norm(dim=1)
        for metric, value, of_data in (("radius", radius.mean(), 2.02), ("spread", radius.std(), 0.25)):
            protocol = f"{metric} of 5,000 samples after 2,000 updates; that of the data is {of_data}"
            found.add(float(value), protocol, seconds, data="ring", system="MLP, all defaults", metric=metric)
        found.write()


if __name__ == "__main__":
    torch.set_num_threads(1)
    tyro.extras.subcommand_cli_from_dict({"tables": tables, "ring": ring})
