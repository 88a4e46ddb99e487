"""Times a new process until its first samples, and its first chains of another energy and kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import get_args

from rows import Measured

from energybased.sampling.engine import AnyEngine

PROGRAM = """
import sys, time
began = time.perf_counter()
import torch
imported = time.perf_counter()
import energybased as eb
eb.sample(eb.Ring(2.0, 0.3), torch.randn(1000, 2), eb.Langevin.overdamped(0.1), 100, engine=sys.argv[1])
sampled = time.perf_counter()
energy, start = eb.Network(eb.networks.MLP(100, (200, 200))), torch.randn(128, 100)
called = time.perf_counter()
eb.sample(energy, start, eb.MALA(0.1), 60, engine=sys.argv[1])
print(imported - began, sampled - began, time.perf_counter() - called)
"""
CACHES = ("cold", *["warm"] * 5)  # the cache of the compiler in each process, one after another


def startups(found: Measured) -> None:
    """Adds rows for each engine: with an empty cache of the compiler, and with a filled one."""
    for engine in get_args(AnyEngine):
        with TemporaryDirectory() as folder:
            for cache in CACHES:
                torch, samples, call = map(float, start(engine, folder))
                fields = {"data": "", "system": "ours", "engine": engine, "variant": f"{cache} cache"}
                for metric, value, protocol in (
                    ("first_samples", samples, "seconds from the first import to 1,000 samples of the ring, 100 steps"),
                    ("times_torch", samples / torch, "the same, divided by the time of `import torch` in the process"),
                    ("first_call", call, "seconds of the first chains of another energy: latent MLP, MALA, 60 steps"),
                ):
                    found.add(value, protocol, value, metric=metric, **fields)


def start(engine: str, folder: str) -> list[str]:
    """Seconds of `import torch`, until the first samples, and of the first call with another energy and kernel."""
    cached = os.environ | {"TORCHINDUCTOR_CACHE_DIR": folder}
    return subprocess.check_output([sys.executable, "-c", PROGRAM, engine], text=True, env=cached).split()
