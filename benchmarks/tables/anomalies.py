"""Digits that were left out of training and detected by latent models."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from rows import Rows

from energybased.recipes import SYSTEMS
from tables.goals import number, table
from tables.latent import named

DIGITS = (1, 4, 5, 7, 9)  # that are held out
PUBLISHED = {  # average precision on the pooled split
    "Xiao & Han 2022, as recalled": (0.531, 0.729, 0.742, 0.620, 0.499),
    "LEBM, as published by others": (0.336, 0.630, 0.619, 0.463, 0.413),
}
BEST = (0.684, 0.941, 0.964, 0.815, 0.796)  # of any published method, digit by digit


def anomalies() -> str:
    """Average precision, digit by digit."""
    found, lines = Rows.read("anomaly"), []
    for split, system, score in product(("official", "pooled"), SYSTEMS, ("joint", "ratio")):
        rows = found.all(split=split, system=system, score=score)
        if rows:
            budget = f", {rows[0]['budget']} times the updates" if "budget" in rows[0] else ""
            values = (number(rows.one(label=digit), 3) for digit in DIGITS)
            lines.append((split, named(system) + budget, score, *values))
    lines += [("pooled", who, "joint", *(f"{v:.3f}" for v in values)) for who, values in PUBLISHED.items()]
    return table(f"split | system | score | {' | '.join(map(str, DIGITS))}", lines)


def precision(system: str, score: str, split: str) -> list[float]:
    """Average precision for each digit that was held out."""
    rows = Rows.read("anomaly").all(system=system, score=score, split=split)
    return [rows.one(label=digit)["value"] for digit in DIGITS]


def above(split: str, marks: Sequence[float]) -> int:
    """The number of held-out digits for which the stages are above these marks."""
    return sum(a > b for a, b in zip(precision("stages", "ratio", split), marks, strict=True))


def official_marks() -> list[float]:
    rivals = (precision(system, score, "official") for system in ("lebm", "vae") for score in ("joint", "ratio"))
    return list(map(max, zip(*rivals, strict=True)))
