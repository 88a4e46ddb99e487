"""Tables and a plot of what chains cost: `python benchmarks/speed.py` draws the plot anew."""

from __future__ import annotations

from cells import ROOT, results
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

ASKED = {  # times as fast as the faster of the others, at equal precision and best against best
    "latent MLP": (1.5, 2.5),
    "four such ratios": (2.0, 2.0),
    "the paper's CIFAR-10": (1.2, 1.1),
    "an update": (1.3, 1.2),
    "a latent update": (None, 1.2),
}


def bench() -> str:
    lines = [
        "| case | precision | times as fast | asked | ours | torchebm | plain loop | compiling | peak memory |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for what, r in results("bench.json").items():
        if "milliseconds" not in r:
            continue
        case, kind = what.rsplit(": ", 1)
        asked = next((a[kind == "best"] for start, a in ASKED.items() if case.startswith(start)), None)
        met = "" if asked is None else f"≥ {asked:g}: {'yes' if r['value'] >= asked else '**missed**'}"
        spent = {who: fastest(r["milliseconds"], who, kind) for who in ("ours", "torchebm", "plain")}
        memory = " / ".join(f"{m:g}" for m in r["peak_mib"].values())
        lines.append(
            f"| {case} | {kind} | {r['value']:.2f} ± {r['sd']:.2f} | {met} | {spent['ours']} | {spent['torchebm']} | "
            f"{spent['plain']} | {max(0, r['compile_seconds']):.0f} s | {memory} MiB |"
        )
    return "\n".join(lines)


def fastest(milliseconds: dict[str, float], who: str, kind: str) -> str:
    """Milliseconds of the fastest way that one of them has, and which; ours may be the eager one."""
    names = ("ours", "eager") if who == "ours" else (who,)
    allowed = {n: m for n, m in milliseconds.items() if n.split()[0] in names}
    allowed = allowed if kind == "best" else {n: m for n, m in allowed.items() if n.endswith("float32")}
    if not allowed:
        return "–"
    best = min(allowed, key=allowed.__getitem__)
    tried = any(name.startswith("eager") for name in milliseconds)
    how = "" if who != "ours" or not tried else "eager " if best.startswith("eager") else "compiled "
    spent = f"{allowed[best]:.3g}" if allowed[best] < 1000 else f"{allowed[best]:,.0f}"
    return f"{spent} ms ({how}{best.split()[1]})"


def rates() -> str:
    found = {what: r for what, r in results("bench.json").items() if what.startswith("matrix products")}
    said = ", ".join(f"{r['value']:.0f} GFLOP/s in {what.split(', ')[1]}" for what, r in found.items())
    return f"{said}; {next(iter(found.values()))['hardware']}."


def parts() -> str:
    """What one eager step is spent on."""
    found = {what: r for what, r in results("cost.json").items() if what.startswith("part: ")}
    lines = ["| of an eager step | µs |", "|---|---|"]
    return "\n".join([*lines, *(f"| {what.removeprefix('part: ')} | {r['value']:.0f} |" for what, r in found.items())])


def quality() -> str:
    """Seconds until digits are good, seed by seed."""
    found = results("quality.json")
    lines = [
        "| processor seconds | median | " + " | ".join(f"seed {s}" for s in found["ours"]["seeds"]) + " |",
        "|---|---|" + "---|" * len(found["ours"]["seeds"]),
    ]
    for who in ("ours", "torchebm"):
        each = " | ".join(seconds(v) for v in found[who]["per_seed"])
        lines.append(f"| {who} | {seconds(found[who]['value'])} | {each} |")
    gain = found["gain"]
    met = "yes" if gain["value"] >= 3 else "**missed**"
    each = " | ".join(f"{v:.1f}" for v in gain["per_seed"])
    lines.append(f"| times as fast, at the least, asked ≥ 3: {met} | {gain['value']:.1f} | {each} |")
    return "\n".join(lines)


def seconds(value: float) -> str:
    """Of a training that was stopped at 600."""
    return "> 600" if value >= 600 else f"{value:.0f}"


def plot() -> None:
    """How many times as fast, a bar for each case and precision."""
    found = {what: r for what, r in results("bench.json").items() if "milliseconds" in r}
    cases = list(dict.fromkeys(what.rsplit(": ", 1)[0] for what in found))
    figure = Figure(figsize=(8, 0.42 * len(cases) + 1), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for offset, kind, colour in ((-0.19, "equal", "#1f6feb"), (0.19, "best", "#e36209")):
        there = [(i, found[f"{case}: {kind}"]) for i, case in enumerate(cases) if f"{case}: {kind}" in found]
        places, bars = [i + offset for i, _ in there], [r for _, r in there]
        label = "equal precision" if kind == "equal" else "best against best"
        values, errors = [r["value"] for r in bars], [r["sd"] for r in bars]
        axes.barh(places, values, 0.36, xerr=errors, color=colour, label=label, error_kw={"linewidth": 0.8})
    axes.axvline(1, color="#57606a", linewidth=1)
    axes.set_yticks(range(len(cases)), cases, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("times as fast as the faster of torchebm and a plain loop")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(ROOT / "results" / "bench.png", dpi=100)


if __name__ == "__main__":
    plot()
