"""Samples of a buffer at test time and of the historical ensemble, beside fresh samples, with targets."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rows import Rows

from tables.goals import Line, goal, numbers, unmeasured, waits
from tables.ours import OWN

KINDS = ("fresh", "replay", "ensemble")
FEATURES = {"": "of the judge", "_lite0": "of EfficientNet-Lite0"}


def sampling() -> Iterator[Line]:
    yield from mixed("mnist-tasks", OWN)
    yield from mixed("cifar10-tasks", "cifar10-small", " --steps 800")


def mixed(file: str, system: str, steps: str = "") -> Iterator[Line]:
    """Fréchet distances of as many samples of each kind; the target is that they are measured."""
    rows = Rows.read(file).all(system=system, split="test")
    for suffix, whose in FEATURES.items():
        what = f"{system}, FD in the features {whose} of 2,000 samples: fresh; buffer at test time; ensemble"
        found = [r for kind in KINDS for r in rows.all(metric=f"fd_{kind}{suffix}")]
        if len(found) < len(KINDS):
            yield unmeasured(what, waits(system, "fd_replay", steps), "measured", "both below fresh")
            continue
        fresh, *others = (r["value"] for r in found)
        stretch = math.nextafter(fresh, 0), f"< {fresh:.1f}, fresh, both"
        yield goal(what, numbers(found), max(others), (math.inf, "measured"), stretch)
