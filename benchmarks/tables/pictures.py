"""The recipes over pictures, their judges, and the updates of the first paper's recipes, with their targets."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rows import Rows

from tables.goals import BASELINES, GOALS, Line, goal, number, numbers, table, unmeasured, waits

TASKS = {
    "mnist-conditional": "mnist-tasks",
    "mnist": "mnist-unlabelled-tasks",
    "fashion": "fashion-tasks",
    "cifar10-small": "cifar10-tasks",
}
ACCURACY = {"mnist": 0.994, "fashion-mnist": 0.93, "cifar10": 0.93}  # targets of the judges


def pictures() -> str:
    """The recipes over pictures, their judges, and the paper's updates."""
    lines = [(name, *line) for name in TASKS for line in of_recipe(name)]
    for r in Rows.read("judges"):
        least = ACCURACY.get(r["data"])
        bound = None if least is None else (-least, f"≥ {least:.1%}")
        lines.append((r["system"], *goal("accuracy, test split", f"{r['value']:.2%}", -r["value"], bound)))
    for r in Rows.read("updates"):
        what, bound, measured = "first batch from disk", (3.0, "≤ 3 s"), f"{number(r)} s"
        if r["metric"] == "update_seconds":
            what, bound = "an update of the paper's recipe", None
            measured += f"; all of them {r['days']:.0f} days"
        elif r.get("variant") == "with import":
            what, bound = "the same, with the import of the library", None
        lines.append((r["system"], *goal(what, measured, r["value"], bound)))
    return table(f"`ebm train` | {GOALS}", lines)


def of_recipe(name: str) -> Iterable[Line]:
    """The target of the small recipe of CIFAR-10 is a comparison with simple baselines."""
    rows = Rows.read(name)
    fd, sure, auroc = rows.by_system("fd"), rows.by_system("confident"), rows.by_system("auroc_flipped")
    minutes, buffer, entropy = rows.one(metric="minutes"), rows.one(metric="fd_buffer"), rows.by_system("class_entropy")
    value, gaussian, mixture = (fd[system]["value"] for system in (name, "Gaussian", "best mixture"))
    spent, samples = "minutes, one thread of a busy machine", "FD, 5,000 fresh samples"
    judged, confident = "samples with judge confidence > 0.9 (test split)", sure[name]["value"]
    measured = f"{confident:.1%} ({sure['test split']['value']:.1%})"
    if name == "cifar10-small":
        beside = f"beside one Gaussian, {gaussian:.1f}, and the best mixture, {mixture:.1f}"
        both = (min(gaussian, mixture), f"< {min(gaussian, mixture):.1f}, both")
        yield spent, "60, two cores", "", number(minutes), ""
        yield goal(samples, number(fd[name]), value, (math.inf, beside), both)
        yield goal("FD, replay buffer; floor", numbers([buffer, fd["floor"]]))
        yield goal(judged, measured)
    else:
        seeds = len(minutes["seeds"])
        of = f"{number(minutes)} ({seeds} seed{'s' * (seeds > 1)})"
        half = (mixture / 2, f"{mixture / 2:.1f}, half of it")
        yield goal(spent, of, minutes["value"], (40, "≤ 40, two cores"))
        yield goal(samples, number(fd[name]), value, (mixture, f"< {mixture:.1f}, best mixture"), half)
        yield goal("FD, replay buffer", number(buffer))
        yield goal("FD, one Gaussian; best mixture; floor", numbers(fd[system] for system in BASELINES))
        yield goal(judged, measured, -confident, (-0.7, "≥ 70 %"), (-0.9, "≥ 90 %"))
        of, least = number(entropy[name], 2), (-2.2, "≥ 2.2 nats")
        yield goal("entropy of the classes that the judge assigns", of, -entropy[name]["value"], least)
    yield by_others(name)
    measured = f"{number(auroc[name], 3)} ({number(auroc['best mixture'], 3)})"
    yield goal("energies detect flipped pictures, AUROC (mixture)", measured)


def by_others(name: str) -> Line:
    """The distance in the features of a network that others trained."""
    fd = Rows.read(TASKS[name]).all(split="test").by_system("fd_lite0")
    what = "FD in Lite0's features: fresh samples; one Gaussian; best mixture; floor"
    systems = [system for system in (name, *BASELINES) if system in fd]
    return goal(what, numbers(fd[s] for s in systems)) if name in fd else unmeasured(what, waits(name, "fd_lite0"))
