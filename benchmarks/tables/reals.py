"""The recipe `table` on three tables, and the ring with all defaults, with their targets."""

from __future__ import annotations

from rows import Rows

from tables.goals import GOALS, goal, number, table


def reals() -> str:
    """The recipe `table` on three tables, and the ring with all defaults."""
    rows, lines = Rows.read("tables"), []
    for data in dict.fromkeys(r["data"] for r in rows):
        ed = rows.all(data=data).by_system("energy_distance")
        bound, gaussian = 1.5 * ed["training rows"]["value"], ed["Gaussian"]["value"]
        bounds = (bound, f"≤ {bound:.4f}, 1.5 × training rows"), (gaussian, f"< {gaussian:.4f}, one Gaussian")
        what = f"{data}: energy distance of 1,000 samples to test rows"
        lines.append(goal(what, number(ed["table"], 4), ed["table"]["value"], *bounds))
        lines.append(
            (
                f"{data}: the same of a mixture of up to 30 Gaussians alone",
                "",
                "",
                number(ed["mixture of Gaussians"], 4),
                "",
            )
        )
    for metric, centre, tolerance in (("radius", 2.0, 0.1), ("spread", 0.25, 0.08)):
        r = Rows.read("defaults").one(metric=metric)
        worst = max(abs(value - centre) for value in r["per_seed"])
        target = f"{centre:g} ± {tolerance:g}"
        lines.append(goal(f"ring of points, all defaults: {metric}", number(r, 3), worst, (tolerance, target)))
    return table(GOALS, lines)
