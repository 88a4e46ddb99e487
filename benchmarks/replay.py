"""Samples of a buffer at test time, of the ensemble, and fresh ones: `python benchmarks/replay.py NAME RUN`.

The metric `fd_replay` with fewer rounds and samples, for runs whose chains are expensive. Writes results/NAME.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from rows import Measured, trained
from tyro.conf import Positional

from energybased.evaluation.metrics.frechet_replay import FrechetReplay
from energybased.runs.evaluate import subject_of
from energybased.runs.load import run_of
from energybased.tasks.replay_sampling import ReplaySampling


def main(
    name: Annotated[Positional[str], tyro.conf.arg(name="NAME")],
    path: Annotated[Positional[Path], tyro.conf.arg(name="RUN")],
    /,
    rounds: int = 10,
    frozen: int = 3,
    count: int = 1500,
) -> None:
    run = run_of(path)
    words = f"python benchmarks/replay.py {name} RUN --rounds {rounds} --frozen {frozen} --count {count}"
    found = Measured(name, [run.recipe["settings"]["seed"]], f"{trained(run)}, {words}")
    for row in FrechetReplay(ReplaySampling(rounds, frozen), count).measure(subject_of(run)):
        fields = {"data": row.data, "system": row.system, "metric": row.metric, "split": row.split}
        found.add(row.value, row.protocol, row.seconds, **fields)
    found.write()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
