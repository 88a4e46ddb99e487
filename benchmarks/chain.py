"""What a chain costs in time and memory: `python benchmarks/chain.py` writes results/chain.json."""

from __future__ import annotations

import resource
import statistics
import time

import torch
from rows import row, write

from energybased import HMC, MALA, Langevin, StandardNormal, Underdamped, sample
from energybased.data import load_data
from energybased.recipes import digits

COMMAND = "python benchmarks/chain.py"


def speed(name, energy, start, kernel, steps=100, repeats=7):
    """Milliseconds a step, the median of several runs, and the spread between them."""
    generator = torch.Generator().manual_seed(0)
    sample(energy, start, kernel, 10, generator)
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        sample(energy, start, kernel, steps, generator)
        times.append((time.perf_counter() - began) / steps * 1e3)
    protocol = f"ms a step, median of {repeats} runs of {steps} steps; {len(start)} chains, {kernel}"
    r = row(f"step_ms_{name}", times, [0], protocol, COMMAND, sum(times) * steps / 1e3)
    return {**r, "value": round(statistics.median(times), 4)}


def memory():
    """Growth of the process's peak memory between 1,000 and 100,000 steps of a chain, in MiB."""
    energy, start = StandardNormal(8), torch.zeros(16, 8)
    generator = torch.Generator().manual_seed(0)
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # noqa: E731
    began = time.perf_counter()
    sample(energy, start, Langevin.overdamped(0.1), 1000, generator)
    before = peak()
    sample(energy, start, Langevin.overdamped(0.1), 100_000, generator)
    growth = peak() - before
    protocol = "MiB that the peak resident memory grows from a chain of 1,000 steps to one of 100,000"
    return row("memory_growth_100k_steps", [growth], [0], protocol, COMMAND, time.perf_counter() - began)


def main() -> None:
    data = load_data("digits")
    energy = digits(classes=0).energy(data)
    start = torch.rand((256, *data.event), generator=torch.Generator().manual_seed(0))
    rows = [memory()]
    kernels = {
        "underdamped": Underdamped(0.2, 0.7),
        "langevin": Langevin(0.01, 0.1),
        "mala": MALA(0.1),
        "hmc5": HMC(0.1, 5),
    }
    for name, kernel in kernels.items():
        rows.append(speed(f"digits_{name}", energy, start, kernel))
    rows.append(speed("normal2d_langevin", StandardNormal(2), torch.zeros(10_000, 2), Langevin.overdamped(0.5)))
    write("chain.json", rows)


if __name__ == "__main__":
    main()
