"""Tables and figures of the cost of chains: `python benchmarks/speed.py` draws the figures from results/*.json."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rows import RESULTS, Row, Rows
from tables.goals import GOALS, Line, goal, number, table

UPDATES = ("update-", "fresh-")  # variants of rows about training
MANY = (8, 64)  # numbers of processes of the projection
BOUNDED = 0.7  # of the rate of matrix products; above it, a rival leaves little to gain


def bench(name: str = "bench") -> str:
    """A table of rows against rivals, and one of eager chains and new processes."""
    lines = []
    for r in Rows.read(name).all(metric="speedup"):
        ours, rival = fastest(r, True), fastest(r, False)
        least, share = target(r), r.get("of_product_rate", {}).get(ours)
        met = f"≥ {least:g}: {'yes' if r['value'] >= least else '**missed**'}"
        memory = " / ".join(f"{m:g}" for m in r["peak_mib"].values())
        rest = f"{max(0, r['compile_seconds']):.0f} s", f"{memory} MiB"
        values = (
            f"{r['value']:.2f} ± {r['sd']:.2f}",
            met,
            spent(r, ours),
            spent(r, rival),
            f"{share:.0%}" if share else "",
        )
        lines.append((r["case"], r["kind"], *values, *rest))
    head = "case | precision | times as fast | target | ours | fastest rival | of matrix rate | compiling | peak memory"
    goals = [*eager(name), *startups(name)]
    return table(head, lines) + (f"\n\n{table(GOALS, goals)}" if goals else "")


def target(r: Row) -> float:
    """The least speed relative to the fastest rival."""
    equal, rival = r["kind"] == "equal", r.get("of_product_rate", {}).get(fastest(r, False), 0.0)
    if r["variant"].startswith(UPDATES):
        return 1.1 if equal else 1.0
    if rival >= BOUNDED or r["variant"].startswith(("buffer-", "anneal-")):
        return 1.0
    return 1.15 if equal else 1.3


def fastest(r: Row, ours: bool) -> str:
    """The fastest engine or rival, with its precision, of those that the row compares."""
    allowed = [n for n in r["milliseconds"] if r["kind"] == "best" or n.endswith("float32")]
    return min((n for n in allowed if n.startswith(("ours ", "eager ")) is ours), key=r["milliseconds"].__getitem__)


def spent(r: Row, name: str) -> str:
    milliseconds = r["milliseconds"][name]
    return f"{milliseconds:{',.0f' if milliseconds >= 1000 else '.3g'}} ms ({name.removeprefix('ours ')})"


def eager(name: str) -> Iterator[Line]:
    for r in Rows.read(name).all(metric="eager_time"):
        what = f"{r['case']}: time of eager chains, divided by that of a plain loop"
        yield goal(what, number(r, 2), r["value"], (1.15, "≤ 1.15"), (1.0, "≤ 1"))


def startups(name: str) -> Iterator[Line]:
    """New processes, by engine and cache of the compiler."""
    rows = Rows.read(name)
    for r in rows.all(metric="times_torch"):
        same = {"engine": r["engine"], "variant": r["variant"]}
        seconds, call = (rows.one(metric=metric, **same) for metric in ("first_samples", "first_call"))
        how, bound = f"{r['engine']}, {r['variant']}", (1.3, "≤ 1.3, warm") if r["variant"] == "warm cache" else None
        what = f"import to first samples of the ring, divided by `import torch`: {how}"
        yield goal(what, f"{number(r, 2)} ({number(seconds)} s)", r["value"], bound)
        most = 1.2 * rows.one(metric="first_call", engine="eager", variant=r["variant"])["value"]
        bound = (most, f"≤ {most:.1f}, 1.2 × eager") if r["engine"] == "auto" else None
        yield goal(f"first chains of a new energy, MLP, MALA: {how}", f"{number(call)} s", call["value"], bound)


def rates(name: str = "bench") -> str:
    found = Rows.read(name).all(metric="gflops")
    return ", ".join(f"{r['value']:.0f} GFLOP/s in {r['precision']}" for r in found) + f"; {found[0]['hardware']}."


def parts() -> str:
    """Time of each part of one eager step."""
    found = Rows.read("cost").all(metric="part_us")
    return table("of an eager step | µs", ((r["variant"], f"{r['value']:.0f}") for r in found))


def processes() -> str:
    """Two processes against one, and a projection to more."""
    found = Rows.read("processes")
    lines = []
    for row in found.all(metric="two_processes"):
        low = 1.4 if row["case"] == "digits" else 1.7
        state = "met" if row["value"] >= low else "**missed**"
        rounds = ", ".join(f"{value:.2f}" for value in row["per_seed"])
        lines.append((row["case"], f"{row['value']:.2f}", rounds, f"≥ {low}: {state}"))
    gains = table("total batch kept | times the updates of one process | each pair of runs | target", lines)
    sums = [(f"{row['at']:,}", f"{row['value']:.2f}") for row in found.all(metric="sum_ms")]
    costs = table("float32 entries summed over two processes | ms", sums)
    head = "projection: update of P processes in ms | P = 1, measured | 2, measured | " + " | ".join(map(str, MANY))
    ahead = table(f"{head} | half of the processes' time lost at", map(projected, found.all(metric="two_processes")))
    return f"{gains}\n{found[0]['hardware']}; two processes of one thread each.\n\n{costs}\n\n{ahead}"


def projected(row: Row) -> Line:
    """Times of an update of more processes, if all but the shards' own work takes as long as with two."""
    one, two = (Rows.read("processes").one(metric="update_ms", case=row["case"], at=p)["value"] for p in (1, 2))
    rest = max(two - one / 2, 0.0)
    times = (f"{one / p + rest:.3g}" for p in MANY)
    return row["case"], f"{one:.3g}", f"{two:.3g}", *times, f"P = {one / rest:.0f}" if rest else ""


def annealing() -> str:
    """Annealed importance sampling, by engine, and before the engine of today."""
    found, lines = Rows.read("annealing"), []
    for row in found.all(engine="compiled"):
        case, n = row["case"], row["at"]
        eager, before = (found.one(case=case, at=n, engine=engine) for engine in ("eager", "before"))
        gain, least = before["value"] / min(row["value"], eager["value"]), 2 if n <= 500 else 1.5
        state = "yes" if gain >= least else "**missed**"
        seconds = (f"{r['value']:.3g} s" for r in (before, eager, row))
        values = "; ".join(f"{r['log_z']:.3f} ± {r['error']:.3f}" for r in (before, eager, row))
        compiling = f"{row['first_seconds'] - row['value']:.0f} s"
        lines.append((case, f"{n:,}", *seconds, compiling, values, f"{gain:.2f}", f"≥ {least}: {state}"))
    head = "prior | chains | before | eager | compiled | compiling | log Z of the three | times as fast | target"
    return f"{table(head, lines)}\n{found[0]['hardware']}."


def quality() -> str:
    """CPU seconds until samples are good, for each seed."""
    found = Rows.read("quality")
    seeds = found.one(system="ours", metric="seconds")["seeds"]
    lines = []
    for who in ("ours", "torchebm"):
        r = found.one(system=who, metric="seconds")
        lines.append((who, *(capped(value) for value in (r["value"], *r["per_seed"]))))
    gain = found.one(metric="speedup")
    met = "yes" if gain["value"] >= 3 else "**missed**"
    values = (f"{value:.1f}" for value in (gain["value"], *gain["per_seed"]))
    lines.append((f"times as fast, at the least; target ≥ 3: {met}", *values))
    return table("CPU seconds | median | " + " | ".join(f"seed {seed}" for seed in seeds), lines)


def capped(value: float) -> str:
    """Seconds as text; a training is stopped at 600."""
    return "> 600" if value >= 600 else f"{value:.0f}"


@contextmanager
def drawn(name: str, width: float, height: float, columns: int = 1, dpi: int = 100) -> Iterator[Any]:
    """Yields the axes of a figure, or an array of axes, and then writes the figure into results/."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    yield figure.subplots(1, columns)
    figure.savefig(RESULTS / f"{name}.png", dpi=dpi)


def draw_bench() -> None:
    """Draws the relative speed, with a bar for each case and precision."""
    found = Rows.read("bench").all(metric="speedup")
    cases = list(dict.fromkeys(r["case"] for r in found))
    with drawn("bench", 8, 0.42 * len(cases) + 1) as axes:
        for offset, kind, colour in ((-0.19, "equal", "#1f6feb"), (0.19, "best", "#e36209")):
            bars = found.all(kind=kind)
            places, values = [cases.index(r["case"]) + offset for r in bars], [r["value"] for r in bars]
            label, errors = {"equal": "equal precision", "best": "best against best"}[kind], [r["sd"] for r in bars]
            axes.barh(places, values, 0.36, xerr=errors, color=colour, label=label, error_kw={"linewidth": 0.8})
        axes.axvline(1, color="#57606a", linewidth=1)
        axes.set_yticks(range(len(cases)), cases, fontsize=8)
        axes.invert_yaxis()
        axes.set_xlabel("times as fast as the fastest rival")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)


def draw_cost() -> None:
    found = Rows.read("cost").all(metric="chain_ms")
    with drawn("cost", 11, 3.4, columns=3, dpi=110) as three:
        for axes, varied in zip(three, dict.fromkeys(r["varied"] for r in found), strict=True):
            for bits, colour in (("float32", "#1f6feb"), ("bfloat16", "#e36209")):
                for engine, style in (("eager", ":"), ("compiled", "-")):
                    line = found.all(varied=varied, engine=engine, precision=bits)
                    values = [r["at"] for r in line]
                    axes.loglog(values, [r["value"] for r in line], style, color=colour, label=f"{engine} {bits}")
                floor = [r["floor_ms"] for r in line]
                axes.loglog(values, floor, "--", color=colour, linewidth=0.8, alpha=0.6, label=f"floor {bits}")
            axes.set_xlabel(varied)
            axes.set_ylabel("ms a chain")
            axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=7)


def draw_ablation() -> None:
    """Draws the FD over the number of stages, and a mark for each other variant."""
    found = Rows.read("ablation")
    fd = found.all(metric="fd")
    stages = [r for r in fd if "stages" in r]
    with drawn("ablation", 6, 3.2) as axes:
        values = [r["value"] for r in stages]
        axes.plot([r["stages"] for r in stages], values, "o-", color="black", label="K stages, generator with them")
        for r, marker in zip((r for r in fd if "stages" not in r), "s^vD", strict=False):
            count = found.one(variant=r["variant"], metric="active_stages")["value"]
            axes.plot([count], [r["value"]], marker, label=r["variant"])
        axes.set(xlabel="active stages", ylabel="FD(judge-mnist)", yscale="log", xticks=range(1, 9))
        axes.set_yticks([4, 6, 10, 20], ["4", "6", "10", "20"])
        axes.minorticks_off()
        axes.legend(fontsize=8)


if __name__ == "__main__":
    draw_bench()
    draw_cost()
    draw_ablation()
