"""Ratios of known densities, learned in stages, with their targets."""

from __future__ import annotations

from rows import Rows

from tables.goals import GOALS, goal, number, table


def known_ratios() -> str:
    """Ratios learned in stages, compared with known densities."""
    rows = Rows.read("ratios")
    ring, seconds = rows.all(data="ring").by_system("kl"), rows.one(data="ring", system="stages", metric="seconds")
    kl, spent = ring["stages"], seconds["value"]
    lines = [
        goal("KL(ring, prior), nats", number(kl, 3), kl["value"], (0.2, "≤ 0.2"), (0.05, "0.05")),
        goal("the same with one stage", number(ring["one-stage"], 3)),
        goal("the ring with all defaults, CPU seconds", number(seconds, 0), spent, (180, "≤ 180")),
    ]
    for name in ("chasm", "pinwheel", "pairs"):
        rmse = rows.all(data=name).by_system("rmse")
        part = rmse["stages"]["value"] / rmse["one-stage"]["value"]
        measured = f"{number(rmse['stages'], 3)} and {number(rmse['one-stage'], 3)}: {part:.2f}"
        what = f"{name}: error of the log-ratio, stages divided by one stage"
        lines.append(goal(what, measured, part, (0.2, "≤ 1/5"), (0.05, "1/20")))
    worst = max(rows.all(system="stages", metric="log_prob_off"), key=lambda r: r["value"])
    what = "error of log_prob on ring and pinwheel, the larger one, nats"
    lines.append(goal(what, number(worst, 3), worst["value"], (0.05, "≤ 0.05"), (0.01, "0.01")))
    return table(GOALS, lines)
