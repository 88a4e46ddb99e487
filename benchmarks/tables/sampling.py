"""Samples of a buffer at test time and of the historical ensemble, beside fresh samples, with targets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean, stdev

from rows import Row, Rows

from tables.goals import Line, counts, goal, number, unmeasured, waits
from tables.ours import OWN

KINDS = ("fresh", "replay", "ensemble")
FEATURES = {"": "judge", "_lite0": "EfficientNet-Lite0"}
FEWER = "waits for `ebm train cifar10-small --steps 800`, `python benchmarks/replay.py cifar10-tasks RUN`"


def sampling() -> Iterator[Line]:
    yield from mixed("mnist-tasks", OWN, waits(OWN, "fd_replay"))
    yield from mixed("cifar10-tasks", "cifar10-small", FEWER)


def mixed(file: str, system: str, command: str) -> Iterator[Line]:
    """Fréchet distances of as many samples of each kind, and of the same runs; the target is that they are measured."""
    rows = Rows.read(file).all(system=system, split="test")
    for suffix, whose in FEATURES.items():
        what = f"{system}, FD({whose}) of as many samples each: fresh; buffer at test time; ensemble"
        found = [r for kind in KINDS for r in rows.all(metric=f"fd_{kind}{suffix}")]
        if len(found) < len(KINDS):
            yield unmeasured(what, command, "measured", "both below fresh")
            continue
        shared = set.intersection(*(set(r["seeds"]) for r in found))
        found = [of_seeds(r, shared) for r in found]
        fresh, *others = (r["value"] for r in found)
        stretch = math.nextafter(fresh, 0), f"< {fresh:.2f}, fresh, both"
        measured = f"{'; '.join(number(r, 2) for r in found)} ({counts(found)} samples)"
        line = goal(what, measured, max(others), (math.inf, "measured"), stretch)
        one = min(len(shared), len(found[0]["seeds"])) < 2
        yield (*line[:-1], f"{line[-1]}, of one run, whose error is not known") if one else line


def of_seeds(row: Row, seeds: set[int]) -> Row:
    """The row with these seeds alone, so that rows of several kinds have the same runs behind them."""
    values = [value for seed, value in zip(row["seeds"], row["per_seed"], strict=True) if seed in seeds]
    return row | {"value": fmean(values), "sd": stdev(values) if len(values) > 1 else None}
