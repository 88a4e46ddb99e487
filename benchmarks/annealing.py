"""Annealed importance sampling, now and before: `python benchmarks/annealing.py [BEFORE]`.

Writes results/annealing.json: seconds of annealing through three ratios of a latent prior, and the estimated log Z.
BEFORE is the source folder of an earlier commit; chains then run with the library found there, in a process of its own.
No other program may run at the same time.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time

import torch
from rows import Measured, Row

LEVELS, ROUNDS, STAGES = 20, 5, 3
PRIORS = {"the ring's prior, 2 entries": 2, "MNIST's prior, 16 entries": 16}
CHAINS = (500, 2000)


def timed(dim: int, n: int, engine: str) -> Row:
    """Seconds of the first call and of later ones, log Z and its standard error; "" is the library's own default."""
    from energybased import HMC, StandardNormal
    from energybased.latent import StagedPrior
    from energybased.networks import BatchedMLP
    from energybased.sampling.annealed import anneal

    torch.manual_seed(0)
    logits = BatchedMLP(dim, (200, 200), STAGES)
    torch.nn.init.normal_(logits.weights[-1], std=0.07)  # stages that have learned something
    prior = StagedPrior(StandardNormal(dim), logits).requires_grad_(False)
    prior.active[:] = 1
    options = {"engine": engine} if engine else {}
    spent, ends = [], []
    for seed in range(1 + ROUNDS):
        rng = torch.Generator().manual_seed(seed)
        began = time.perf_counter()
        start = prior.base.sample(n, rng)
        ends.append(anneal(prior.base, prior.ratios(STAGES), start, HMC(0.2, 5), LEVELS, generator=rng, **options))
        spent.append(time.perf_counter() - began)
    estimates = [end.estimate() for end in ends]
    error = math.sqrt(sum(e.error**2 for e in estimates)) / len(estimates)
    value = statistics.fmean(e.value for e in estimates)
    return {"first": spent[0], "seconds": spent[1:], "log_z": value, "error": error}


def separate(source: str, dim: int, n: int, engine: str) -> Row:
    """The same in a new process, with the library in `source`."""
    environment = os.environ | ({"PYTHONPATH": source} if source else {})
    command = [sys.executable, __file__, "only", str(dim), str(n), engine]
    found: Row = json.loads(subprocess.check_output(command, text=True, env=environment))
    return found


def main() -> None:
    if sys.argv[1:2] == ["only"]:
        print(json.dumps(timed(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])))
        return
    before = sys.argv[1] if len(sys.argv) > 1 else ""
    found = Measured("annealing", range(ROUNDS), command="python benchmarks/annealing.py BEFORE")
    for what, dim in PRIORS.items():
        for n in CHAINS:
            for engine in ("before", "eager", "compiled") if before else ("eager", "compiled"):
                old = engine == "before"
                made = separate(before if old else "", dim, n, "" if old else engine)
                more = {"first_seconds": made["first"], "log_z": made["log_z"], "error": made["error"]}
                protocol = f"seconds of {STAGES} stages of {LEVELS} levels, an HMC transition of 5 gradients at each"
                fields = {"data": "", "system": "ours", "metric": "anneal_seconds", "case": what, "at": n}
                for seconds in made["seconds"]:
                    found.add(seconds, protocol, seconds, more, **fields, engine=engine)
    found.write(median=True)


if __name__ == "__main__":
    main()
