"""The cost of chains: `python benchmarks/cost.py` writes results/cost.json, `cost.py chain` results/chain.json.

The first measures 128 chains of 60 steps of an MLP 100-200-200, with one of these numbers changed at a time, and the
parts of one eager step. The floor is the time of the multiplications of the network at the rate of matrix products of
this machine. The second measures a step of each kernel on the energy of the digits, and the memory of a long chain. No
other program may run at the same time.
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
from energybased.sampling.diagnostics import Last
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
    """Milliseconds per chain for one value of one number, with each engine and precision, and the floors."""
    at = {"batch": BATCH, "width": WIDTH, "steps": STEPS, varied: value}
    case = Case("", "", MLP(DIM, (at["width"],) * 2), torch.randn(at["batch"], DIM), at["steps"])
    runs, protocol = case.runs(rivals=False), f"ms, median of {ROUNDS} chains; MLP {DIM}-{at['width']}-{at['width']}, "
    protocol += f"{at['batch']} chains, {at['steps']} steps"
    for (engine, name), bits in ((pair, bits) for bits in rates for pair in (("eager", "eager"), ("compiled", "ours"))):
        spent = statistics.median(seconds(runs[f"{name} {bits}"]))
        fields = {"varied": varied, "at": value, "engine": engine, "precision": bits}
        more = {"floor_ms": round(1e3 * case.work() / rates[bits], 4)}
        found.add(1e3 * spent, protocol, spent * ROUNDS, more, data="", system="ours", metric="chain_ms", **fields)


def parts(found: Measured) -> None:
    """Microseconds of the parts of one eager step."""
    energy, x = Network(MLP(DIM, (WIDTH,) * 2)).requires_grad_(False), torch.randn(BATCH, DIM)
    streams, kernel = Streams.of(torch.Generator().manual_seed(0), x), Langevin.overdamped(STEP)
    info = Info(x, torch.ones(BATCH))
    state, times = kernel.init(energy, x), 200
    protocol = f"microseconds in one eager float32 step; MLP {DIM}-{WIDTH}-{WIDTH}, {BATCH} chains"
    for name, part in {
        "energy and gradient": lambda: energy.value_and_grad(x),
        "random numbers": lambda: streams.normal(x),
        "diagnostics": lambda: Last.of(x, x, info),
        "a whole step of the kernel": lambda: kernel.step(energy, state, streams),
    }.items():
        with torch.no_grad():
            spent = statistics.median(seconds(lambda: [part() for _ in range(times)])) / times  # noqa: B023
        found.add(1e6 * spent, protocol, spent, data="", system="ours", metric="part_us", variant=name)


def chain() -> None:
    """Milliseconds per step of each kernel, and the memory of a chain of 100,000 steps."""
    data, found, generator = load_data("digits"), Measured("chain"), torch.Generator().manual_seed(0)
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # noqa: E731
    normal, start, kernel, began = StandardNormal(8), torch.zeros(16, 8), Langevin.overdamped(0.1), time.perf_counter()
    sample(normal, start, kernel, 1000, generator, engine="eager")
    before = peak()
    sample(normal, start, kernel, 100_000, generator, engine="eager")
    protocol = "growth of the peak resident memory from a chain of 1,000 steps to one of 100,000, MiB"
    fields = {"data": "", "system": "langevin", "metric": "memory_growth_mib"}
    found.add(peak() - before, protocol, time.perf_counter() - began, **fields)
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
        times = seconds(lambda: sample(energy, x, kernel, 100, generator, engine="eager"), 7)  # noqa: B023
        protocol = f"ms per step, median of {len(times)} runs of 100 steps; {len(x)} chains, {kernel}"
        for spent in times:
            found.add(10 * spent, protocol, spent, data=name, system=system, metric="step_ms")
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
