"""How well priors fit their aggregate posteriors: `python benchmarks/prior_fit.py RUNS` writes results/prior_fit.json.

RUNS are runs of latent systems, which were measured by `ebm evaluate RUN --metrics prior_fit`.
"""

from __future__ import annotations

import sys

from rows import Measured, spent, trained

from energybased.errors import require
from energybased.runs.evaluate import read_rows
from energybased.runs.load import run_of

METRIC = "prior_fit"


def main() -> None:
    require(len(sys.argv) > 1, "name runs of latent systems")
    for run in map(run_of, sys.argv[1:]):
        rows = [row for row in read_rows(run) if row.measured_by == METRIC]
        require(len(rows) > 0, f"{run.path} was not measured: ebm evaluate {run.path} --metrics {METRIC}")
        recipe = run.recipe["settings"]
        command = f"{trained(run)}, ebm evaluate RUN --metrics {METRIC}, python benchmarks/prior_fit.py RUN"
        found = Measured(METRIC, [recipe["seed"]], command)
        for row in rows:
            prior = row.system == recipe["recipe"]
            fields = {"data": row.data, "system": recipe["recipe"], "variant": "prior" if prior else row.system}
            found.add(row.value, f"{row.protocol}; n = {row.n}", row.seconds, **fields, metric=row.metric)
        fields = {"data": rows[0].data, "system": recipe["recipe"], "variant": "prior", "metric": "minutes"}
        found.add(spent(run) / 60, "CPU time of the training", spent(run), **fields)
        found.write(join=True)


if __name__ == "__main__":
    main()
