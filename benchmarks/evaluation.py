"""Times the evaluation of a run: `python benchmarks/evaluation.py RUN` writes results/evaluation.json.

`ebm evaluate RUN` measures all metrics that are not asked for by name, and draws the samples anew. No other program may
run at the same time.
"""

from __future__ import annotations

import subprocess
import sys
import time

from rows import Measured, trained

from energybased.runs.evaluate import read_rows
from energybased.runs.load import run_of


def main(path: str) -> None:
    run, began = run_of(path), time.monotonic()
    subprocess.run([sys.executable, "-m", "energybased", "evaluate", path], check=True)
    seconds = time.monotonic() - began
    metrics = ", ".join(dict.fromkeys(row.measured_by for row in read_rows(run)))
    command = f"{trained(run)}, python benchmarks/evaluation.py RUN"
    found = Measured("evaluation", [run.recipe["settings"]["seed"]], command)
    fields = {"data": run.recipe["settings"]["data"], "system": run.recipe["recipe"], "metric": "minutes"}
    found.add(
        seconds / 60, f"wall time of the command on an idle machine; rows of the run: {metrics}", seconds, **fields
    )
    found.write()


if __name__ == "__main__":
    main(sys.argv[1])
