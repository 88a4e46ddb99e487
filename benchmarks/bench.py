"""Chains side by side: ours, torchebm's and a plain PyTorch loop, in turn. `make bench` writes results/bench.json.

A row's value is how many times faster ours is than the faster of the others: "equal" all in float32; "best" each in
the faster of float32 and bfloat16 autocast, convolutions channels-last. Compile time stands apart. Nothing else may
run beside it. `python benchmarks/bench.py WORDS` measures the cases alone that are called so.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import torch
import torch._inductor.config
from cases import Runs, chains
from pcd import buffers, updates
from rows import RESULTS, row, write
from staged import latent_updates
from torch.profiler import ProfilerActivity, profile

ROUNDS, PATIENCE = 7, 15.0  # rounds at the most; seconds after which a case gets no further round, from the third on


def products(bits: str) -> float:
    """This machine's rate of matrix products, in floating-point operations a second: the best of five."""
    n, times = 2048, []
    a = torch.randn(n, n).to(getattr(torch, bits))
    for _ in range(6):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * n**3 / min(times[1:])


def race(what: str, runs: Runs) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of each round of each, run in turn, and of each one's first run, in which it compiles."""
    first: dict[str, float] = {}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for name, run in runs.items():
        began = time.perf_counter()
        run()
        first[name] = time.perf_counter() - began
    started = time.perf_counter()
    for i in range(ROUNDS):
        if i >= 3 and time.perf_counter() - started > PATIENCE:
            break
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    print(what, {name: f"{1e3 * statistics.median(t):.2f} ms" for name, t in times.items()}, flush=True)
    return times, first


def peak(run) -> float:
    """MiB of tensors that are there at once at the most, beyond those that were there before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    there = most = 0
    for event in sorted(seen.profiler.kineto_results.events(), key=lambda e: e.start_ns()):
        if event.name() == "[memory]":
            there += event.nbytes()
            most = max(most, there)
    return most / 2**20


def rows(what: str, runs: Runs, command: str, work: float | None = None, rates: dict | None = None) -> list[dict]:
    """Two rows a case: at equal precision, and best against best."""
    times, first = race(what, runs)
    median = {name: statistics.median(t) for name, t in times.items()}
    more: dict[str, object] = {"milliseconds": {name: round(1e3 * m, 3) for name, m in median.items()}}
    if work is not None and rates is not None:
        more["of_product_rate"] = {n: round(work / m / rates[n.split()[1]], 3) for n, m in median.items()}
    made = []
    for kind in ("equal", "best") if any(name.endswith("bfloat16") for name in runs) else ("equal",):
        allowed = [name for name in times if kind == "best" or name.endswith("float32")]
        mine = min((name for name in allowed if name.split()[0] in ("ours", "eager")), key=median.__getitem__)
        other = min((name for name in allowed if name.split()[0] in ("torchebm", "plain")), key=median.__getitem__)
        each = [b / a for a, b in zip(times[mine], times[other], strict=True)]
        protocol = f"{other} / {mine}, {len(each)} rounds in turn"
        r = row(f"{what}: {kind}", each, [0], protocol, command, sum(times[mine]) + sum(times[other]))
        memory = {name: round(peak(runs[name]), 2) for name in (mine, other)}
        ratio = round(median[other] / median[mine], 3)
        compiling = round(first[mine] - median[mine], 1)
        made.append({**r, "value": ratio, "compile_seconds": compiling, "peak_mib": memory, **more})
    return made


def main() -> None:
    torch._inductor.config.force_disable_caches = True  # compiling is counted as the first time
    full = "--full" in sys.argv
    wanted = next((word for word in sys.argv[1:] if word != "--full"), "")
    command = "make bench-full" if full else "make bench"
    rates = {bits: products(bits) for bits in ("float32", "bfloat16")}
    file = RESULTS / "bench.json"
    found = {r["what"]: r for r in json.loads(file.read_text())} if file.exists() else {}

    def keep(made: list[dict]) -> None:
        found.update({r["what"]: r for r in made})
        write("bench.json", list(found.values()))

    for bits, rate in rates.items():
        keep([row(f"matrix products, {bits}", [rate / 1e9], [0], "GFLOP/s, 2048 x 2048", command, 0.0)])
    for case in chains(full):
        if wanted in case.what:
            keep(rows(case.what, case.runs(), command, case.work() if case.neural else None, rates))
    for what, runs in (
        ("an update, digits network, 5 steps", lambda: updates(64, (256, 256), 256, 5)),
        ("an update, MNIST network, 5 steps", lambda: updates(784, (1024, 512), 200, 5)),
        ("a latent update in stage 3, MNIST", latent_updates),
        ("a visit to a replay buffer of 10,000 pictures", lambda: buffers(10_000)),
        ("a visit to a replay buffer of 1,000,000 pictures", lambda: buffers(1_000_000)),
    ):
        if wanted in what:
            keep(rows(what, runs(), command))


if __name__ == "__main__":
    main()
