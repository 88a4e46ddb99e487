"""Tables and figures of the cost of chains: `python benchmarks/speed.py` draws the figures from results/*.json."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rows import RESULTS, Row, Rows
from tables import table

TARGETS = {  # speed relative to the faster rival, by case: at equal precision, and with the best precision of each
    "mlp": (1.5, 2.5),
    "ratios": (2.0, 2.0),
    "cifar10": (1.2, 1.1),
    "update-digits": (1.3, 1.2),
    "update-mnist": (1.3, 1.2),
    "update-latent": (None, 1.2),
}


def bench() -> str:
    lines = []
    for r in Rows.read("bench").all(metric="speedup"):
        target = TARGETS.get(r["variant"], (None, None))[r["kind"] == "best"]
        met = "" if target is None else f"≥ {target:g}: {'yes' if r['value'] >= target else '**missed**'}"
        spent = (fastest(r, who) for who in ("ours", "torchebm", "plain"))
        memory = " / ".join(f"{m:g}" for m in r["peak_mib"].values())
        rest = f"{max(0, r['compile_seconds']):.0f} s", f"{memory} MiB"
        lines.append((r["case"], r["kind"], f"{r['value']:.2f} ± {r['sd']:.2f}", met, *spent, *rest))
    head = "case | precision | times as fast | target | ours | torchebm | plain loop | compiling | peak memory"
    return table(head, lines)


def fastest(r: Row, who: str) -> str:
    """Milliseconds of the fastest engine and precision of one program, and their names."""
    milliseconds = {tuple(name.split()): value for name, value in r["milliseconds"].items()}  # (engine, precision)
    names = ("ours", "eager") if who == "ours" else (who,)
    allowed = {w: m for w, m in milliseconds.items() if w[0] in names and (r["kind"] == "best" or w[1] == "float32")}
    if not allowed:
        return "–"
    best = min(allowed, key=allowed.__getitem__)
    tried = any(engine == "eager" for engine, _ in milliseconds)
    how = "" if who != "ours" or not tried else "eager " if best[0] == "eager" else "compiled "
    spent = f"{allowed[best]:.3g}" if allowed[best] < 1000 else f"{allowed[best]:,.0f}"
    return f"{spent} ms ({how}{best[1]})"


def rates() -> str:
    found = Rows.read("bench").all(metric="gflops")
    return ", ".join(f"{r['value']:.0f} GFLOP/s in {r['precision']}" for r in found) + f"; {found[0]['hardware']}."


def parts() -> str:
    """Time of each part of one eager step."""
    found = Rows.read("cost").all(metric="part_us")
    return table("of an eager step | µs", ((r["variant"], f"{r['value']:.0f}") for r in found))


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
        axes.set_xlabel("times as fast as the faster of torchebm and a plain loop")
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
