"""Moments of many features, part by part: `python benchmarks/moments.py` writes results/moments.json.

The means and covariances of 50,000 rows of 2,048 float32 features are compared with those of all rows at once in
float64. The peak of memory is that of a new process, beside one with a tenth of the rows.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from rows import Measured
from torch import Tensor

from energybased.evaluation import Moments

ROWS, WIDTH, PART = 50_000, 2_048, 500
ROUNDS = 9  # the peak of the same process varies by tens of MiB


def parts(rows: int) -> Iterator[Tensor]:
    """Parts `(500, 2048)` of positive features of many sizes, which share a factor; the same in each call."""
    rng, scale = torch.Generator().manual_seed(0), torch.logspace(-1, 1, WIDTH)
    for _ in range(rows // PART):
        x = torch.randn(PART, WIDTH, generator=rng) + torch.randn(PART, 1, generator=rng)
        yield scale * x.add(1).relu()


def relative_error() -> float:
    """The largest error of a mean or a covariance, divided by the largest of these."""
    found = Moments.streamed(parts(ROWS))
    x = torch.empty(ROWS, WIDTH, dtype=torch.float64)
    for rows, part in zip(x.split(PART), parts(ROWS), strict=True):
        rows.copy_(part)
    mean = x.mean(0)
    x -= mean
    covariance = x.T @ x / (ROWS - 1)
    pairs = (found.mean, mean), (found.covariance, covariance)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def peak(rows: int) -> float:
    """MiB at the peak of a new process that computes the moments of so many rows."""
    return float(subprocess.check_output([sys.executable, __file__, str(rows)], text=True))


def main() -> None:
    if sys.argv[1:]:
        Moments.streamed(parts(int(sys.argv[1])))
        status = Path("/proc/self/status").read_text()  # getrusage would count the process that started this one
        print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
        return
    found, began = Measured("moments"), time.perf_counter()
    fields = {"data": f"{ROWS} x {WIDTH}", "system": "ours"}
    protocol = f"largest error of means and covariances by parts of {PART} rows, against all rows at once in float64"
    error = relative_error()
    found.add(1e12 * error, f"{protocol}, in 1e-12", time.perf_counter() - began, **fields, metric="relative_error")
    protocol = f"MiB at the peak of a process, less that of one with a tenth of the rows, median of {ROUNDS} pairs"
    for _ in range(ROUNDS):
        began = time.perf_counter()
        growth = peak(ROWS) - peak(ROWS // 10)
        found.add(growth, protocol, time.perf_counter() - began, **fields, metric="growth_mib")
    found.write(median=True)


if __name__ == "__main__":
    main()
