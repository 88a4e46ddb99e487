"""The digits, the guard and the demo, with their targets."""

from __future__ import annotations

import math

from rows import Row, Rows

from tables.goals import BASELINES, GOALS, Line, goal, number, numbers, table, verdict


def energies() -> str:
    """The digits, the guard and the demo."""
    d, plain, demo = Rows.read("digits"), Rows.read("digits-unlabelled"), Rows.read("demo")
    fd = d.by_system("fd")
    mixture, floor, fresh = (fd[name]["value"] for name in ("best mixture", "floor", "digits"))
    buffer, long, seconds = d.one(metric="fd_buffer"), d.one(metric="fd_long"), demo.one(metric="seconds")
    other, of_demo = plain.by_system("fd")["digits-unlabelled"], demo.by_system("fd")
    unlabelled = plain.one(metric="fd_buffer"), other, plain.one(metric="fd_long")
    of_demo_rows, least = [demo.one(metric="fd_buffer"), of_demo["digits"]], of_demo["best mixture"]["value"]
    bounds = f"< {least:.1f}, best mixture", f"floor {of_demo['floor']['value']:.1f}"
    beside = mixture, f"< {mixture:.1f}, best mixture"
    auroc = [number(d.by_system("auroc_flipped")[name], 3) for name in ("digits", "best mixture")]
    growth = Rows.read("chain").one(metric="memory_growth_mib")["value"]
    stretch = {times: (times * floor, f"{times * floor:.1f}, {times:g} × floor") for times in (1.5, 2)}
    thrice, as_fresh = (3 * mixture, f"≤ {3 * mixture:.1f}, 3 × best mixture"), (fresh, f"{fresh:.1f}, fresh chains")
    twice = "; ".join(verdict(r["value"], least) for r in of_demo_rows)
    lines = [
        goal("`ebm demo`, two cores", f"{number(seconds)} s", seconds["value"], (120, "≤ 120 s"), (60, "60 s")),
        goal("digits FD, replay-buffer chains", number(buffer), buffer["value"], beside, stretch[1.5]),
        goal("digits FD, fresh chains", number(fd["digits"]), fresh, beside, stretch[2]),
        goal("the same chains, ten times as long", number(long), long["value"], thrice, as_fresh),
        goal("the same without labels: buffer; fresh; long", numbers(unlabelled)),
        goal("one Gaussian; best mixture; floor", numbers(fd[name] for name in BASELINES)),
        ("the demo, the same recipe on two threads: buffer; fresh", *bounds, numbers(of_demo_rows), twice),
        ("energies detect flipped digits, AUROC", f"mixture {auroc[1]}", "", auroc[0], ""),
        *(guarded(r) for r in Rows.read("guard") if r["variant"] != "none"),
        ("memory growth of a chain, 1,000 to 100,000 steps", "none", "", f"+ {growth:.1f} MiB", ""),
        ("resume after kill -9", "same to the bit", "", "`tests/test_training.py`, every tensor", "yes"),
    ]
    return table(GOALS, lines)


def guarded(r: Row) -> Line:
    """A fault, with the guard on or off."""
    ratios = [math.inf if v is None else v for v in r["per_seed"]]
    lost = sum(v > 1000 for v in ratios)
    measured = f"lost (not finite or > 1000 ×) in {lost} of {len(ratios)}" if lost else f"{number(r, 2)} ×"
    name = f"{r['variant']}, guard {r['guard']}"
    if r["guard"] == "on":
        return goal(name, measured, max(ratios), (2, "≤ 2 × healthy FD, each"), (1.2, "1.2 ×"))
    return name, "lost in at least one fault", "", measured, "yes" if lost else ""
