"""Rows of a run's results.json as rows of results/: `python benchmarks/tasks.py NAME RUN` writes results/NAME.json.

RUN was measured by `ebm evaluate`; the command in the rows names its metrics. Other runs of the same recipe are other
seeds. So are those whose values the file has already, if the protocol is the same. A row `minutes` has the CPU time of
the training.
"""

from __future__ import annotations

import sys

from rows import Measured, trained

from energybased.errors import require
from energybased.runs.evaluate import read_rows
from energybased.runs.load import run_of


def main() -> None:
    require(len(sys.argv) > 2, "name the file of results, and a run")
    name, *paths = sys.argv[1:]
    runs = [run_of(path) for path in paths]
    settings = [run.recipe["settings"] for run in runs]
    same = {(run.recipe["recipe"], one["steps"]) for run, one in zip(runs, settings, strict=True)}
    require(len(same) == 1, "the runs differ in recipe or steps")
    require(len({one["seed"] for one in settings}) == len(runs), "two runs have the same seed")
    trainings = ", ".join(map(trained, runs))
    metrics = ",".join(dict.fromkeys(row.measured_by for run in runs for row in read_rows(run)))
    command = f"{trainings}, ebm evaluate RUN --metrics {metrics}, python benchmarks/tasks.py {name} RUN"
    found = Measured(name, command=command)
    for run, one in zip(runs, settings, strict=True):
        for row in read_rows(run):  # a run may lack what others have
            fields = {"data": row.data, "system": row.system, "metric": row.metric, "split": row.split}
            found.add(row.value, row.protocol, row.seconds, seed=one["seed"], **fields)
        fields = {"data": one["data"], "system": run.recipe["recipe"], "metric": "minutes"}
        seconds = run.lines("metrics.jsonl")[-1]["processor_seconds"]
        found.add(seconds / 60, "CPU time of the training", seconds, seed=one["seed"], **fields)
    found.write(join=True)


if __name__ == "__main__":
    main()
