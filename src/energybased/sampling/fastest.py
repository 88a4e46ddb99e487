"""The faster engine for an energy on this machine, found by a trial."""

from __future__ import annotations

import statistics
import time

import torch
from torch import Tensor

from energybased.energy import Energy
from energybased.sampling.chain import advance
from energybased.sampling.engine import Engine
from energybased.sampling.kernel import Kernel

ROUNDS = 5
GAIN = 0.95  # compiled chains must take less than this fraction of the time of eager ones


def fastest(energy: Energy, start: Tensor, kernel: Kernel, steps: int) -> Engine:
    """The engine that takes less time for chains of `steps` transitions from `start`, `(batch, *event)`.

    Both engines run several times, in turn. The first run, which includes compiling, is not counted.
    """
    engines: tuple[Engine, ...] = ("eager", "compiled")
    spent: dict[Engine, list[float]] = {engine: [] for engine in engines}
    for _ in range(1 + ROUNDS):
        for engine in engines:
            generator = torch.Generator("cpu").manual_seed(0)
            began = time.perf_counter()
            end = advance(energy, start, kernel, steps, generator, engine=engine).x
            end.sum().item()  # waits for the device
            spent[engine].append(time.perf_counter() - began)
    eager, compiled = (statistics.median(spent[engine][1:]) for engine in engines)
    return "compiled" if compiled < GAIN * eager else "eager"
