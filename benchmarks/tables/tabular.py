"""Anomaly detection on the tables of ADBench, beside rivals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from rows import Row, Rows
from scipy.stats import rankdata, wilcoxon

from energybased.data.adbench import NAMES
from tables.goals import GOALS, Line, goal, number, table

OURS = "EnergyDetector"
TABLES = 21  # over which published values are means
CHOSEN_ON = 11  # tables on which settings were chosen: the first in alphabetical order of their files
PUBLISHED = {  # AUROC and AUPRC, means over the same 21 tables of what DTE's authors published, five seeds
    "semi-supervised": {"DTE-NP": (89.8, 78.5), "kNN": (89.0, 77.5), "DTE-C": (88.4, 70.6), "IForest": (84.7, 63.6)},
    "unsupervised": {"IForest": (81.5, 51.5), "MCD": (81.0, 50.7)},
}
TARGETS = {"semi-supervised": ((89.8, 78.5), (91.5, 81.0)), "unsupervised": ((81.5, 51.5), (83.0, 54.0))}
SEPARATED, MANY = 0.95, 1000  # tables on which half of the anomalies are to be found: AUROC, reference rows
TIMES = (  # what was timed, target and stretch target in seconds, and the unit in which they are told
    ("fit 20 x 5", 0.2, None, 1000),
    ("fit 10,000 x 20", 60.0, 15.0, 1),
    ("one row", 0.005, None, 1000),
    ("a million rows of 20", 30.0, 10.0, 1),
    ("fit 1,000,000 x 30", 900.0, None, 1),
)
HEAD = "detector | AUROC | AUPRC | mean rank of the AUROC | p against it | seconds a table | seeds"


def tabular_goals() -> str:
    """The targets of the published protocol."""
    lines: list[Line] = []
    for kind, ((auroc, auprc), stretch) in TARGETS.items():
        for metric, bound, further in (("auroc", auroc, stretch[0]), ("auprc", auprc, stretch[1])):
            values = means("published", kind, metric)
            if len(values.get(OURS, {})) < TABLES:  # the published means are over all of them
                continue
            mine = 100 * float(np.mean(list(values[OURS].values())))
            what = f"{kind}, published protocol, {len(values[OURS])} tables: mean {metric.upper()}"
            goals = ((-bound, f"> {bound}"), (-further, f"{further}"))
            lines.append(goal(what, f"{mine:.1f}", -mine, *goals))
    lines += [*verdicts(), *named(), *times()]
    return table(GOALS, lines) if lines else "These have not been measured."


def verdicts() -> Iterator[Line]:
    """What p-values and discoveries are worth, where no row is on both sides."""
    rows = Rows.read("detect").all(variant="clean", kind="semi-supervised", system=OURS)
    below, false, found = (rows.find(metric=metric) for metric in ("below", "false_discoveries", "found"))
    if below is None or false is None or found is None:
        return
    shares = below["tables"].values()
    words = "new normal rows with p < 0.1: mean over tables; least and most"
    yield goal(words, f"{below['value']:.3f}; {min(shares):.3f}, {max(shares):.3f}")
    if "exact" in below:
        far = {t: abs(below["tables"][t] - share) / error for t, (share, error) in below["exact"].items()}
        outside = sorted((t for t in far if far[t] > 3), key=lambda t: -far[t])
        told = f"{len(far) - len(outside)} of {len(far)}" + (f"; not {', '.join(outside)}" if outside else "")
        yield goal("tables on which this share is within 3 standard errors of 0.1", told, len(outside), (0, "each"))
    words = "false discoveries at a rate of 0.1, 5 % of the rows anomalies: mean over tables"
    told = f"{false['value']:.3f}, with {found['value']:.0%} of the anomalies found"
    yield goal(words, told, false["value"], (0.1, "≤ 0.1"))
    aurocs = rows.one(metric="auroc")["tables"]
    good = [t for t, n in below.get("references", {}).items() if n >= MANY and aurocs[t] >= SEPARATED]
    if good:
        shares = [found["tables"][t] for t in good]
        words = f"anomalies found there, {len(good)} tables with AUROC ≥ 95 % and {MANY:,} references: mean; least"
        yield goal(words, f"{np.mean(shares):.0%}; {min(shares):.0%}", -min(shares), (-0.5, "≥ 50 % each"))


def named() -> Iterator[Line]:
    """How often reasons name the column that was changed."""
    rows = Rows.read("reasons").all(metric="first two")
    if rows:
        mean = float(np.mean([r["value"] for r in rows]))
        words = f"one column moved by 3 standard deviations is among the first two reasons, {len(rows)} tables"
        yield goal(words, f"{mean:.1%}", -mean, (-0.8, "≥ 80 %"), (-0.95, "≥ 95 %"))


def times() -> Iterator[Line]:
    """How long it takes on two cores, the slower of the two kinds."""
    rows = Rows.read("detector_speed")
    for metric, target, stretch, unit in TIMES:
        found = rows.all(metric=metric)
        if found:
            slowest = max(r["value"] for r in found)
            each = "; ".join(f"{r['value'] * unit:.3g} {r['kind']}" for r in found)
            words = f"{metric}, {'milliseconds' if unit == 1000 else 'seconds'}"
            bounds = (target, f"≤ {target * unit:g}"), None if stretch is None else (stretch, f"≤ {stretch * unit:g}")
            yield goal(words, each, slowest, *bounds)
    memory = rows.find(metric="memory")
    if memory is not None:
        yield goal("highest memory of these, GiB", number(memory), memory["value"], (8.0, "≤ 8"))


def costs() -> str:
    """Time and memory of each detector on the same rows."""
    rows = Rows.read("detector_speed")
    found = [(r, rows.one(metric="memory of both", system=r["system"])) for r in rows.all(metric="both")]
    lines = [
        (r["system"], f"{r['value']:.2g}", f"{m['value']:.2f}") for r, m in sorted(found, key=lambda p: p[0]["value"])
    ]
    return table("detector | seconds | GiB", lines) if lines else "These have not been measured."


def tabular(protocol: str, kind: str, unseen: bool = False) -> str:
    """The means of each detector over the tables, or over those on which nothing was chosen."""
    names = sorted(NAMES.values())
    rows = Rows.read("detect").all(variant=protocol, kind=kind)
    here = sorted({NAMES[name] for r in rows for name in r["tables"]}, key=names.index)
    kept = {name for name, file in NAMES.items() if file in (here[CHOSEN_ON:] if unseen else here)}
    values = {metric: means(protocol, kind, metric, kept) for metric in ("auroc", "auprc", "seconds")}
    systems = [s for s in values["auroc"] if set(values["auroc"][s]) == kept]
    if OURS not in systems:
        return "These have not been measured."
    tables = sorted(kept)
    scores = np.array([[values["auroc"][s][t] for t in tables] for s in systems])
    ranks = rankdata(-scores.round(4), axis=0).mean(1)
    seeds = {r["system"]: str(len(r["seeds"])) for r in rows if r["metric"] == "auroc"}
    lines = []
    for place in np.argsort(-scores.mean(1)):
        system = systems[place]
        mine = scores[systems.index(OURS)]
        p = "" if system == OURS else f"{wilcoxon(mine, scores[place]).pvalue:.2g}"
        of = partial(mean, tables=tables)
        pair = (of(values["auroc"][system]), of(values["auprc"][system]))
        time = of(values["seconds"][system])
        name = f"**{system}**" if system == OURS else system
        lines.append((name, *(f"{100 * v:.1f}" for v in pair), f"{ranks[place]:.1f}", p, f"{time:.2g}", seeds[system]))
    if protocol == "published" and not unseen:
        lines += [
            (f"{s}, published", *(f"{v:.1f}" for v in pair), "", "", "", "5") for s, pair in PUBLISHED[kind].items()
        ]
    return f"{len(tables)} tables.\n\n{table(HEAD, lines)}"


def mean(values: dict[str, float], tables: Sequence[str]) -> float:
    return float(np.mean([values[t] for t in tables]))


def means(protocol: str, kind: str, metric: str, kept: set[str] | None = None) -> dict[str, dict[str, float]]:
    """The values of a metric, by system and table."""
    rows: list[Row] = Rows.read("detect").all(variant=protocol, kind=kind, metric=metric)
    return {r["system"]: {t: v for t, v in r["tables"].items() if kept is None or t in kept} for r in rows}
