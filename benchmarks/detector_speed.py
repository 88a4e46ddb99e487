"""How long `EnergyDetector` takes: `python benchmarks/detector_speed.py` writes results/detector_speed.json.

Rows are normal, with correlated columns. Times are of this process, on all its threads; nothing else should run. Memory
is the highest that the process has held, with what Python and torch take. Rivals are fitted in processes of their own.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch
import tyro
from detect import DETECTORS
from numpy.typing import NDArray
from rows import Measured

from energybased import EnergyDetector

MILLION = 1_000_000


def rows(n: int, columns: int, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, columns)) @ rng.standard_normal((columns, columns))


def timed(function: Callable[[], object], times: int = 1) -> float:
    """Seconds of one call, the median of several."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        spent.append(time.perf_counter() - began)
    return float(np.median(spent))


def alone(name: str) -> tuple[float, float]:
    """Seconds of a fit to 10,000 x 20 and of the scores of as many rows, and the highest memory in GiB."""
    x = rows(10_000, 20)
    made = DETECTORS[name](True, 0)
    if name == "DeepSVDD":
        made.n_features = x.shape[1]
    seconds = timed(lambda: made.fit(x).decision_function(x))
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(large: bool = True, rivals: bool = True, seed: int = 0) -> None:
    """Measures.

    Args:
        large: also fits to a million rows of 30 columns.
        rivals: also measures the detectors of PyOD on 10,000 rows.
    """
    found = Measured("detector_speed", [seed])
    for name in DETECTORS if rivals else ():
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            seconds, memory = pool.submit(alone, name).result()
        protocol = f"10,000 x 20 fitted and scored in a process of its own, {torch.get_num_threads()} threads"
        for metric, value in (("both", seconds), ("memory of both", memory)):
            found.add(value, protocol, seconds, system=name, metric=metric, kind="semi-supervised")
        found.write()

    def add(metric: str, seconds: float, novelty: bool) -> None:
        kind = "semi-supervised" if novelty else "unsupervised"
        protocol = f"seconds, {torch.get_num_threads()} threads, novelty={novelty}"
        found.add(seconds, protocol, seconds, system="EnergyDetector", metric=metric, kind=kind)

    for novelty in (True, False):
        few, many = rows(20, 5), rows(10_000, 20)
        add("fit 20 x 5", timed(lambda few=few, n=novelty: EnergyDetector(novelty=n).fit(few), 5), novelty)
        detector = EnergyDetector(novelty=novelty, random_state=seed)
        add("fit 10,000 x 20", timed(lambda d=detector, x=many: d.fit(x)), novelty)
        add("one row", timed(lambda d=detector, x=many: d.decision_function(x[:1]), 50), novelty)
        asked = rows(MILLION, 20)
        add("a million rows of 20", timed(lambda d=detector, x=asked: d.decision_function(x)), novelty)
        found.write()
        if large:
            x = rows(MILLION, 30)
            seconds = timed(lambda x=x, n=novelty: EnergyDetector(novelty=n, random_state=seed).fit(x))
            add("fit 1,000,000 x 30", seconds, novelty)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            fields = {"system": "EnergyDetector", "metric": "memory", "kind": "both up to here"}
            found.add(memory, "GiB, highest of the process", 0.0, **fields, seed=seed)
            found.write()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
