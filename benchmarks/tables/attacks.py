"""Classifiers, without attack and under all attacks, with targets."""

from __future__ import annotations

from collections.abc import Iterator

from rows import Row, Rows

from tables.goals import Line, percent, table, verdict
from tables.ours import OWN

EPSILON = "robust_linf_0.2"
CLEAN, LEAST, STRETCH = 0.97, 0.3, 0.6
JEM = "mnist-jem"


def attacks() -> str:
    """A line for each defended classifier, with its own accuracy; rivals have no target."""
    head = "classifier | target | stretch target | without attack | under all attacks, ℓ∞ 0.2 | met"
    return table(head, [*own(JEM), *own(OWN), *rivals()])


def own(system: str) -> Iterator[Line]:
    """The logits, attacked at least once, and each way to refine an example before it is classified.

    Older rows lack the transfer attack on the sampler, so that their "yes" is not one under all attacks.
    """
    rows = Rows.read("robust").all(system=system, split="test")
    accuracy = Rows.read("mnist-tasks").all(system=system, metric="accuracy", split="test")
    logits = rows.all(metric=f"{EPSILON}_least")
    yield judged(
        f"{system}, logits",
        next(iter([*accuracy, *rows.all(metric="robust_clean")]), None),  # of the whole test split, if there is one
        min(logits, key=lambda r: r["value"], default=None),
    )
    for variant in dict.fromkeys(r["variant"] for r in rows):
        refined = rows.all(variant=variant)
        clean, low = (refined.one(metric=name) for name in ("robust_clean_sampler", f"{EPSILON}_sampler_low"))
        name, row = f"{system}, refined: {variant}", refined.one(metric=f"{EPSILON}_sampler")
        line = judged(name, clean, row, low)
        before, after = line[-1].split(" / ")
        known = bool(refined.all(metric=f"{EPSILON}_sampler_transfer")) or not after.startswith("yes")
        yield line if known else (*line[:-1], f"{before} / not under all attacks")


def rivals() -> Iterator[Line]:
    """Networks of the same size that are classifiers alone."""
    rows = Rows.read("mnist-rivals")
    for clean in rows.all(metric="robust_clean"):
        attacked = rows.one(system=clean["system"], metric=f"{EPSILON}_least")
        yield clean["system"], "", "", told(clean), told(attacked), ""


def judged(name: str, clean: Row | None, attacked: Row | None, low: Row | None = None) -> Line:
    """A line with a verdict for each of the two accuracies; that of a sampler is judged by the end of its interval.

    Args:
        name: of the classifier.
        clean: its accuracy without attack.
        attacked: under all attacks.
        low: lower end of the interval of the latter.
    """
    least = attacked if low is None else low
    bounds = (clean, (-CLEAN,)), (least, (-LEAST, -STRETCH))
    met = " / ".join("–" if r is None else verdict(-r["value"], *bound) for r, bound in bounds)
    waits = f"not measured: waits for `ebm train {name.partition(',')[0]}`, `python benchmarks/robust.py RUN`"
    values = (waits if r is None else told(r) for r in (clean, attacked))
    return name, f"≥ {CLEAN:.0%} / ≥ {LEAST:.0%}", f"– / {STRETCH:.0%}", *values, met


def told(row: Row) -> str:
    """An accuracy, with its 95 % interval if its protocol has one."""
    interval = row["protocol"].partition("95 % interval ")[2].partition(" (")[0]
    return percent(row) + (f" ({interval})" if interval else "")
