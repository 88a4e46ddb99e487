"""Anomaly detection on pictures, beside rivals that see the same features."""

from __future__ import annotations

import numpy as np
from rows import Rows

from tables.goals import table

CASES = ("CIFAR-10", "textures", "pasted", "digits")
CHOSEN_ON = 5  # classes and textures by which settings were chosen
SPLIT = ("CIFAR-10", "textures", "pasted")  # cases with classes on which nothing was chosen
OURS = "PictureDetector"


def picture_anomalies() -> str:
    """Mean AUROC of each system in each case; in brackets, that of the classes on which nothing was chosen."""
    rows = Rows.read("picture_anomalies").all(metric="auroc")
    cases = [case for case in CASES if rows.all(data=case)]
    if not cases:
        return "These have not been measured."
    systems = list(dict.fromkeys(r["system"] for r in rows))
    means = {s: [auroc(rows, case, s) for case in cases] for s in systems}
    lines = [
        (f"**{s}**" if s == OURS else s, *means[s])
        for s in sorted(systems, key=lambda s: -float(means[s][0].split()[0]))
    ]
    pixels = Rows.read("picture_anomalies").all(metric="auroc of pixels")
    found = table(f"system | {' | '.join(cases)}", lines)
    if not pixels:
        return found
    told = brackets([r["value"] for r in sorted(pixels, key=lambda r: r["label"])])
    return f"{found}\n\nAUROC of the pixels of pasted squares, by the map of `{OURS}`: {told}."


def auroc(rows: Rows, case: str, system: str) -> str:
    """The mean over labels, in percent."""
    values = [r["value"] for r in sorted(rows.all(data=case, system=system), key=lambda r: r["label"])]
    return brackets(values) if case in SPLIT else f"{100 * np.mean(values):.1f}"


def brackets(values: list[float]) -> str:
    return f"{100 * np.mean(values):.1f} ({100 * np.mean(values[CHOSEN_ON:]):.1f})"
