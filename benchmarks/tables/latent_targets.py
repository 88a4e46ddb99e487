"""Targets of latent models."""

from __future__ import annotations

import math

from rows import Rows

from energybased.recipes import SYSTEMS
from tables.anomalies import BEST, PUBLISHED, above, official_marks
from tables.goals import GOALS, Line, goal, number, table
from tables.latent import DATA, LATENT, STAGED

RIVALS = ("one-stage", "ncp-vae", "telescope", "intensified", "one-stage-afterwards", "lebm", "lebm-encoder")


def latent_targets() -> str:
    lines = []
    for data, file in LATENT.items():
        rows = Rows.read(file)
        for system, words in (("stages", ""), ("stages-encoder", ", posterior chains start at an encoder")):
            lines += [against(DATA[data] + words, rows, system, *metric) for metric in (("fd", 1), ("mse", 4))]
        part = rows.one(metric="time_to_lebm")
        measured = "not reached" if part["value"] is None else number(part, 2)
        value = math.inf if part["value"] is None else part["value"]
        what = f"{DATA[data]}: time until the FD of LEBM, as a fraction of LEBM's training time"
        lines.append(goal(what, measured, value, (0.9, "≤ 0.9"), (0.5, "0.5")))
    ours, lebm = ({r["kind"]: r["value"] for r in Rows.read("gradients").all(system=s)} for s in ("stages", "lebm"))
    share, networks = ours["energies"] / lebm["energies"], f"; of networks {ours['networks'] / lebm['networks']:.2f}"
    what = "gradients of energies for samples of the prior, against LEBM's"
    lines.append(goal(what, f"{share:.3f}{networks}", share, (0.2, "≤ 0.2"), (0.1, "0.1")))
    recalled, others = PUBLISHED.values()
    for split, words, marks, least in (
        ("official", "above every score of LEBM and VAE", official_marks(), 4),
        ("pooled", "above the recalled row of the paper", recalled, 4),
        ("pooled", "above LEBM's row, as published by others", others, 5),
        ("pooled", "above the best published value of each digit", BEST, None),
    ):
        count, bounds = above(split, marks), ("", "5 of 5") if least is None else (f"{least} of 5", "")
        met = "yes" if count >= (least or 5) else "**missed**"
        lines.append((f"MNIST digits held out, {split} split: {words}", *bounds, f"{count} of 5", met))
    return table(GOALS, lines)


def against(label: str, rows: Rows, system: str, metric: str, digits: int) -> Line:
    """Stages against the best of the ratio methods and LEBM, and against every other system; less is better."""
    others = {name: r["value"] for name, r in rows.by_system(metric).items() if name not in STAGED}
    nearest = min((name for name in RIVALS if name in others), key=others.__getitem__)
    best, every, ours = others[nearest], min(others.values()), rows.one(system=system, metric=metric)
    what, target = f"{label}: {metric.upper()}, against the best ratio method and LEBM", f"< {best:.{digits}f}, "
    bounds = (best, target + SYSTEMS[nearest].words), (every, f"< {every:.{digits}f}, every row")
    return goal(what, number(ours, digits), ours["value"], *bounds)
