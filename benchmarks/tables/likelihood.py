"""Bits a dimension of noisy pictures, with their target."""

from __future__ import annotations

import math

from rows import Row, Rows

from tables.goals import Line, goal, number, unmeasured, waits
from tables.ours import OWN, is_rival

NAMES = {"bits_per_dim": "forwards", "bits_per_dim_backward": "backwards"}


def likelihood() -> Line:
    """Annealed from both ends. The larger of the two is compared with the rivals, since forwards flatters the model."""
    what, ends = "bits a dimension, test pictures with noise .3", own_ends()
    if not ends:
        return unmeasured(what, waits(OWN, "log_likelihood"), "measured", "the least of all")
    rivals = [r for file in ("mnist-tasks", "mnist-rivals") for r in Rows.read(file).all(metric="bits_per_dim")]
    best = min((r for r in rivals if is_rival(r["system"])), key=lambda r: r["value"])
    measured = "; ".join(f"{with_error(r)} {NAMES[r['metric']]}" for r in ends)
    stretch = math.nextafter(best["value"], -math.inf), f"< {with_error(best)}, {best['system']}"
    return goal(what, measured, max(r["value"] for r in ends), (math.inf, "measured"), stretch)


def own_ends() -> list[Row]:
    """The rows of both directions; empty if there are none."""
    rows = Rows.read("mnist-tasks").all(system=OWN)
    return [r for name in NAMES for r in rows.all(metric=name)]


def with_error(row: Row) -> str:
    """The bits a dimension of a row, with the standard error of the measurement, which another row has."""
    files = Rows([*Rows.read("mnist-tasks"), *Rows.read("mnist-rivals")])
    errors = files.all(system=row["system"], metric=f"{row['metric']}_error")
    return number(row, 4) + (f" (standard error {errors[-1]['value']:.4f})" if errors else "")
