"""Chains side by side: ours, torchebm's and a plain PyTorch loop, in turn. `make bench` writes results/bench.json.

A row's value is how many times as fast ours is as the faster rival: "equal" all in float32; "best" each in the faster
of float32 and bfloat16 autocast, convolutions channels-last. Compile time is a field of its own. Nothing else may run
beside it. `python benchmarks/bench.py WORDS` measures only the cases whose name has these words.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch
import torch._inductor.config
from cases import Runs, chains
from rows import Measured
from torch.profiler import ProfilerActivity, profile
from training import buffers, latent_updates, updates

ROUNDS, PATIENCE = 7, 15.0  # rounds at the most; seconds after which a case gets no further round, from the third on
Times = dict[str, list[float]]


def products(bits: str) -> float:
    """This machine's rate of matrix products, in floating-point operations a second: the best of five."""
    n, times = 2048, []
    a = torch.randn(n, n).to(getattr(torch, bits))
    for _ in range(6):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * n**3 / min(times[1:])


def race(what: str, runs: Runs) -> tuple[Times, dict[str, float]]:
    """Seconds of each round of each, run in turn, and of each one's first run, in which it compiles."""
    times: Times = {name: [] for name in runs}
    started = time.perf_counter()
    for i in range(ROUNDS + 1):
        if i > 3 and time.perf_counter() - started > PATIENCE:
            break
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
        started = started if i else time.perf_counter()
    print(what, {name: f"{1e3 * statistics.median(t[1:]):.2f} ms" for name, t in times.items()}, flush=True)
    return {name: t[1:] for name, t in times.items()}, {name: t[0] for name, t in times.items()}


def peak(run) -> float:
    """MiB of tensors that exist at once at the most, beyond those that existed before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    there = most = 0
    for event in sorted(seen.profiler.kineto_results.events(), key=lambda e: e.start_ns()):
        if event.name() == "[memory]":
            there += event.nbytes()
            most = max(most, there)
    return most / 2**20


def compare(found: Measured, variant: str, what: str, runs: Runs, work: float | None, rates: dict[str, float]) -> None:
    """Two rows a case: at equal precision, and best against best."""
    times, first = race(what, runs)
    median = {name: statistics.median(t) for name, t in times.items()}
    shared: dict[str, object] = {"milliseconds": {name: round(1e3 * m, 3) for name, m in median.items()}}
    if work is not None:
        shared["of_product_rate"] = {n: round(work / m / rates[n.split()[1]], 3) for n, m in median.items()}
    for kind in ("equal", "best") if any(name.endswith("bfloat16") for name in runs) else ("equal",):
        allowed = [name for name in times if kind == "best" or name.endswith("float32")]
        mine = min((name for name in allowed if name.split()[0] in ("ours", "eager")), key=median.__getitem__)
        other = min((name for name in allowed if name.split()[0] in ("torchebm", "plain")), key=median.__getitem__)
        each = [b / a for a, b in zip(times[mine], times[other], strict=True)]
        more = {
            "value": round(median[other] / median[mine], 3),
            "sd": round(statistics.stdev(each), 4),
            "per_seed": [round(ratio, 4) for ratio in each],
            "compile_seconds": round(first[mine] - median[mine], 1),
            "peak_mib": {name: round(peak(runs[name]), 2) for name in (mine, other)},
            **shared,
        }
        fields = {"data": "", "system": "ours", "metric": "speedup", "variant": variant, "case": what, "kind": kind}
        told, seconds = f"{other} / {mine}, {len(each)} rounds in turn", sum(times[mine]) + sum(times[other])
        found.add(more["value"], told, seconds, more, **fields)
    found.write()


def main() -> None:
    torch._inductor.config.force_disable_caches = True  # compiling is counted as the first time
    full = "--full" in sys.argv
    wanted = next((word for word in sys.argv[1:] if word != "--full"), "")
    found = Measured("bench", command="make bench-full" if full else "make bench")
    rates = {bits: products(bits) for bits in ("float32", "bfloat16")}
    for bits, rate in rates.items():
        fields = {"data": "", "system": "matrix products", "metric": "gflops", "precision": bits}
        found.add(rate / 1e9, "GFLOP/s, 2048 x 2048", 0.0, **fields)
    for case in chains(full):
        if wanted in case.what:
            work = case.work() if case.neural else None
            compare(found, case.variant, case.what, case.runs(), work, rates)
    for variant, what, runs in (
        ("update-digits", "an update, digits network, 5 steps", lambda: updates(64, (256, 256), 256, 5)),
        ("update-mnist", "an update, MNIST network, 5 steps", lambda: updates(784, (1024, 512), 200, 5)),
        ("update-latent", "a latent update in stage 3, MNIST", latent_updates),
        ("buffer-10000", "a visit to a replay buffer of 10,000 pictures", lambda: buffers(10_000)),
        ("buffer-1000000", "a visit to a replay buffer of 1,000,000 pictures", lambda: buffers(1_000_000)),
    ):
        if wanted in what:
            compare(found, variant, what, runs(), None, rates)
    found.write()


if __name__ == "__main__":
    main()
