"""Rows of a run's results.json as rows of results/: `python benchmarks/tasks.py NAME RUN` writes results/NAME.json.

RUN was measured by `ebm evaluate RUN --metrics ...`. Rows of other runs of the same recipe are other seeds. Values of
other seeds that the file has already are kept; `earlier` has their commit and hardware.
"""

from __future__ import annotations

import sys

from rows import Measured, Rows, identity

from energybased.runs.evaluate import read_rows
from energybased.runs.load import run_of


def main() -> None:
    name, *paths = sys.argv[1:]
    runs = [run_of(path) for path in paths]
    recipe = runs[0].recipe["recipe"]
    command = f"ebm train {recipe}, ebm evaluate RUN --metrics ..., python benchmarks/tasks.py {name} RUN"
    seeds = [run.recipe["settings"]["seed"] for run in runs]
    found, earlier = Measured(name, seeds, command), {identity(row): row for row in Rows.read(name)}
    for run, seed in zip(runs, seeds, strict=True):
        for row in read_rows(run):
            fields = {"data": row.data, "system": row.system, "metric": row.metric, "split": row.split}
            old, more = earlier.pop(identity(fields), None), {}
            if old is not None and not set(old["seeds"]) & set(seeds):
                more = {"earlier": {word: old[word] for word in ("commit", "hardware", "seeds")}}
                for value, before in zip(old["per_seed"], old["seeds"], strict=True):
                    found.add(value, old["protocol"], old["seconds"] / len(old["seeds"]), seed=before, **fields)
            found.add(row.value, row.protocol, row.seconds, more, seed, **fields)
    found.write()


if __name__ == "__main__":
    main()
