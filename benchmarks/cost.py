"""What a chain costs: `python benchmarks/cost.py` writes results/cost.json, `cost.py chain` results/chain.json.

The first: one MLP of 100-200-200 with 128 chains of 60 steps, of which one number is changed at a time, and the parts
of one eager step; the floor is the network's multiplications at this machine's rate of matrix products. The second: a
step of each kernel on the digits' energy, and the memory of a long chain. Nothing else may run beside it.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable

import torch
from bench import Case, products
from rivals import STEP
from rows import Measured

from energybased import HMC, MALA, Langevin, Network, StandardNormal, Underdamped, sample
from energybased.data import load_data
from energybased.networks import MLP
from energybased.recipes import digits
from energybased.sampling import Streams
from energybased.sampling.diagnostics import Diagnostics
from energybased.sampling.kernel import Info

DIM, WIDTH, BATCH, STEPS, ROUNDS = 100, 200, 128, 60, 3
SWEEPS = {"batch": (8, 32, 128, 512, 2048), "width": (50, 100, 200, 400, 800, 1600), "steps": (10, 30, 60, 200)}


def seconds(run: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    run()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return times


def sweep(found: Measured, varied: str, value: int, rates: dict[str, float]) -> None:
    """Milliseconds a chain for one value of one number, in each way of computing, and the floors."""
    at = {"batch": BATCH, "width": WIDTH, "steps": STEPS, varied: value}
    case = Case("", "", MLP(DIM, (at["width"],) * 2), torch.randn(at["batch"], DIM), at["steps"])
    runs, told = case.runs(rivals=False), f"ms, median of {ROUNDS} chains; MLP {DIM}-{at['width']}-{at['width']}, "
    told += f"{at['batch']} chains, {at['steps']} steps"
    for (engine, name), bits in ((pair, bits) for bits in rates for pair in (("eager", "eager"), ("compiled", "ours"))):
        spent = statistics.median(seconds(runs[f"{name} {bits}"]))
        fields = {"varied": varied, "at": value, "engine": engine, "precision": bits}
        more = {"floor_ms": round(1e3 * case.work() / rates[bits], 4)}
        found.add(1e3 * spent, told, spent * ROUNDS, more, data="", system="ours", metric="chain_ms", **fields)


def parts(found: Measured) -> None:
    """Microseconds of the parts of one eager step."""
    energy, x = Network(MLP(DIM, (WIDTH,) * 2)).requires_grad_(False), torch.randn(BATCH, DIM)
    streams, kernel = Streams.of(torch.Generator().manual_seed(0), x), Langevin.overdamped(STEP)
    diagnostics, info = Diagnostics(x, STEPS), Info(torch.ones(BATCH), torch.ones(BATCH))
    state, times = kernel.init(energy, x), 200
    told = f"microseconds in one eager float32 step; MLP {DIM}-{WIDTH}-{WIDTH}, {BATCH} chains"
    for name, part in {
        "energy and gradient": lambda: energy.value_and_grad(x),
        "random numbers": lambda: streams.normal(x),
        "diagnostics": lambda: diagnostics.tally.add(x, x, info),
        "a whole step of the kernel": lambda: kernel.step(energy, state, streams),
    }.items():
        with torch.no_grad():
            spent = statistics.median(seconds(lambda: [part() for _ in range(times)])) / times  # noqa: B023
        found.add(1e6 * spent, told, spent, data="", system="ours", metric="part_us", variant=name)


def chain() -> None:
    """Milliseconds a step of each kernel, and how much memory a chain of 100,000 steps takes."""
    data, found, generator = load_data("digits"), Measured("chain"), torch.Generator().manual_seed(0)
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # noqa: E731
    normal, start, kernel, began = StandardNormal(8), torch.zeros(16, 8), Langevin.overdamped(0.1), time.perf_counter()
    sample(normal, start, kernel, 1000, generator)
    before = peak()
    sample(normal, start, kernel, 100_000, generator)
    told = "MiB that the peak resident memory grows from a chain of 1,000 steps to one of 100,000"
    fields = {"data": "", "system": "langevin", "metric": "memory_growth_mib"}
    found.add(peak() - before, told, time.perf_counter() - began, **fields)
    energy, x = digits(conditional=False).energy(data), torch.rand((256, *data.event), generator=generator)
    cases = {
        "underdamped": Underdamped(0.2, 0.7),
        "langevin": Langevin(0.01, 0.1),
        "mala": MALA(0.1),
        "hmc5": HMC(0.1, 5),
    }
    runs = [("digits", name, energy, x, kernel) for name, kernel in cases.items()]
    runs.append(("", "langevin", StandardNormal(2), torch.zeros(10_000, 2), Langevin.overdamped(0.5)))
    for name, system, energy, x, kernel in runs:
        times = seconds(lambda: sample(energy, x, kernel, 100, generator), 7)  # noqa: B023
        told = f"ms a step, median of {len(times)} runs of 100 steps; {len(x)} chains, {kernel}"
        for spent in times:
            found.add(10 * spent, told, spent, data=name, system=system, metric="step_ms")
    found.write(median=True)


def main() -> None:
    torch.manual_seed(0)
    if sys.argv[1:] == ["chain"]:
        return chain()
    found, rates = Measured("cost"), {bits: products(bits) for bits in ("float32", "bfloat16")}
    for varied, value in ((varied, value) for varied, values in SWEEPS.items() for value in values):
        sweep(found, varied, value, rates)
    parts(found)
    found.write()


if __name__ == "__main__":
    main()
