"""What a chain costs, against batch, width and steps: `python benchmarks/cost.py` writes results/cost.json and .png.

One MLP of 100-200-200 with 128 chains of 60 steps, of which one number is changed at a time; and the parts of one
eager step. The floor is the network's multiplications at this machine's rate of matrix products. Nothing else may
run beside it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from bench import products
from cases import STEP, Case
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rows import RESULTS, row, write

from energybased import Langevin, Network, sample
from energybased.networks import MLP, BFloat16
from energybased.sampling import Streams
from energybased.sampling.diagnostics import Diagnostics
from energybased.sampling.kernel import Info

COMMAND = "python benchmarks/cost.py"
DIM, WIDTH, BATCH, STEPS, ROUNDS = 100, 200, 128, 60, 3
SWEEPS = {
    "batch": (8, 32, 128, 512, 2048),
    "width": (50, 100, 200, 400, 800, 1600),
    "steps": (10, 30, 60, 200),
}
KERNEL = Langevin.overdamped(STEP)


def seconds(run: Callable[[], object]) -> float:
    run()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def sweep(what: str, rates: dict[str, float]) -> list[dict]:
    """Milliseconds a chain for each value of one number, in each way of computing, and the floors."""
    found = []
    for value in SWEEPS[what]:
        at = {"batch": BATCH, "width": WIDTH, "steps": STEPS, what: value}
        module, start = MLP(DIM, (at["width"],) * 2).requires_grad_(False), torch.randn(at["batch"], DIM)
        work = Case("", module, start, at["steps"]).work()
        for bits, energy in (("float32", Network(module)), ("bfloat16", Network(BFloat16(module)))):
            for engine in ("eager", "compiled"):
                spent = seconds(lambda e=energy, how=engine, at=at: sample(e, start, KERNEL, at["steps"], engine=how))  # noqa: B023
                protocol = f"ms, median of {ROUNDS} chains; MLP {DIM}-{at['width']}-{at['width']}, "
                protocol += f"{at['batch']} chains, {at['steps']} steps"
                made = row(f"{what} {value}: {engine} {bits}", [1e3 * spent], [0], protocol, COMMAND, spent * ROUNDS)
                found.append({**made, "floor_ms": round(1e3 * work / rates[bits], 4)})
        print(what, value, [r["value"] for r in found[-4:]], flush=True)
    return found


def parts() -> list[dict]:
    """Microseconds of the parts of one eager step."""
    energy, x = Network(MLP(DIM, (WIDTH,) * 2)).requires_grad_(False), torch.randn(BATCH, DIM)
    streams = Streams.of(torch.Generator().manual_seed(0), x)
    diagnostics, info = Diagnostics(x, STEPS), Info(torch.ones(BATCH), torch.ones(BATCH))
    state = KERNEL.init(energy, x)

    @torch.no_grad()
    def many(part: Callable[[], object], times: int = 200) -> float:
        return seconds(lambda: [part() for _ in range(times)]) / times

    timed = {
        "energy and gradient": many(lambda: energy.value_and_grad(x)),
        "random numbers": many(lambda: streams.normal(x)),
        "diagnostics": many(lambda: diagnostics.tally.add(x, x, info)),
        "a whole step of the kernel": many(lambda: KERNEL.step(energy, state, streams)),
    }
    protocol = f"microseconds in one eager float32 step; MLP {DIM}-{WIDTH}-{WIDTH}, {BATCH} chains"
    return [row(f"part: {name}", [1e6 * spent], [0], protocol, COMMAND, spent) for name, spent in timed.items()]


def draw(found: dict[str, list[dict]]) -> None:
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (what, values) in zip(figure.subplots(1, 3), SWEEPS.items(), strict=True):
        for bits, colour in (("float32", "#1f6feb"), ("bfloat16", "#e36209")):
            for engine, style in (("eager", ":"), ("compiled", "-")):
                line = [r for r in found[what] if r["what"].endswith(f"{engine} {bits}")]
                axes.loglog(values, [r["value"] for r in line], style, color=colour, label=f"{engine} {bits}")
            floor = [r["floor_ms"] for r in line]
            axes.loglog(values, floor, "--", color=colour, linewidth=0.8, alpha=0.6, label=f"floor {bits}")
        axes.set_xlabel(what)
        axes.set_ylabel("ms a chain")
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=7)
    figure.savefig(RESULTS / "cost.png", dpi=110)


def main() -> None:
    torch.manual_seed(0)
    rates = {bits: products(bits) for bits in ("float32", "bfloat16")}
    found = {what: sweep(what, rates) for what in SWEEPS}
    write("cost.json", [*(r for rows in found.values() for r in rows), *parts()])
    draw(found)


if __name__ == "__main__":
    main()
