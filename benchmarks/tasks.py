"""Rows of a run's results.json as rows of results/: `python benchmarks/tasks.py NAME RUN` writes results/NAME.json.

RUN was measured by `ebm evaluate RUN --metrics ...`. Other runs of the same recipe are other seeds. So are those whose
values the file has already, if the protocol is the same.
"""

from __future__ import annotations

import sys

from rows import Measured

from energybased.runs.evaluate import read_rows
from energybased.runs.load import run_of


def main() -> None:
    name, *paths = sys.argv[1:]
    runs = [run_of(path) for path in paths]
    recipe = runs[0].recipe["recipe"]
    steps = runs[0].recipe["settings"]["steps"]
    trained = f"ebm train {recipe} --steps {steps}"
    command = f"{trained}, ebm evaluate RUN --metrics ..., python benchmarks/tasks.py {name} RUN"
    found = Measured(name, [run.recipe["settings"]["seed"] for run in runs], command)
    for run in runs:
        for row in read_rows(run):
            fields = {"data": row.data, "system": row.system, "metric": row.metric, "split": row.split}
            found.add(row.value, row.protocol, row.seconds, **fields)
    found.write(join=True)


if __name__ == "__main__":
    main()
