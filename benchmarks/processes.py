"""Two processes against one: `python benchmarks/processes.py [RECIPES]` writes results/processes.json.

Trains the same recipe with the same total batch and two shards, in one process of one thread and in two. The rate is
that of the second half of the updates, so it has neither the start of the processes nor the compiler in it. Also
measures the sum of a vector over two processes, from which docs/speed.md computes what many processes would do. No
other program may run at the same time.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from rows import Measured

from energybased.processes import launch
from energybased.training import Run

RECIPES = {"digits": 160, "mnist-conditional": 40, "mnist-latent-small": 120}  # updates
ROUNDS, SIZES = 3, (10_000, 100_000, 1_000_000, 10_000_000)


def updates_a_second(recipe: str, devices: int, folder: str) -> float:
    command = [sys.executable, "-m", "energybased", "train", recipe, "--steps", str(RECIPES[recipe]), "--shards", "2"]
    options = ["--name", f"{recipe}-{devices}", "--devices", str(devices)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, *options], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    run = Run.open(Path(folder) / "runs" / f"{recipe}-{devices}")
    lines = run.lines("metrics.jsonl")
    half = lines[len(lines) // 2 - 1 :]
    rate = (half[-1]["step"] - half[0]["step"]) / (half[-1]["seconds"] - half[0]["seconds"])
    subprocess.run(["rm", "-r", run.path], check=True)
    return rate


def sums() -> dict[int, float]:
    """Seconds of a sum over two processes, by the number of float32 entries."""
    processes, found = launch(2, 1, "cpu"), {}
    for size in SIZES:
        vector, times = torch.ones(size), []
        for _ in range(20):
            began = time.perf_counter()
            processes.sum([vector.fill_(1)])
            times.append(time.perf_counter() - began)
        found[size] = statistics.median(times)
    return found if processes.first else {}


def main() -> None:
    if sys.argv[1:] == ["sums"]:
        found = sums()
        if found:
            print(json.dumps(list(found.items())))
        return
    measured, wanted = Measured("processes"), sys.argv[1:] or RECIPES
    done = subprocess.run([sys.executable, __file__, "sums"], check=True, capture_output=True, text=True)
    for size, seconds in json.loads(done.stdout.strip().splitlines()[-1]):
        protocol = "milliseconds of the sum of a float32 vector over two processes (gloo) on one machine, median of 20"
        measured.add(1e3 * seconds, protocol, 20 * seconds, data="", system="ours", metric="sum_ms", at=size)
    with tempfile.TemporaryDirectory() as folder:
        for recipe in wanted:
            for _ in range(ROUNDS):
                began = time.perf_counter()
                one, two = (updates_a_second(recipe, devices, folder) for devices in (1, 2))
                protocol = (
                    "updates a second of two processes of one thread each, divided by those of one process of one "
                    f"thread; {RECIPES[recipe]} updates, two shards, second half, {ROUNDS} pairs of runs"
                )
                spent = time.perf_counter() - began
                fields = {"data": "", "system": "ours", "case": recipe}
                measured.add(two / one, protocol, spent, **fields, metric="two_processes")
                for count, rate in ((1, one), (2, two)):
                    what = f"milliseconds of an update of {count} process{'es' if count > 1 else ''} in these runs"
                    measured.add(1e3 / rate, what, spent / 2, **fields, metric="update_ms", at=count)
                print(f"{one:.2f} and {two:.2f} updates a second")
    measured.write(median=True)


if __name__ == "__main__":
    main()
