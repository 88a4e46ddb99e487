"""The first paper's method on MNIST, beside ours, and with one of its techniques left out at a time."""

from __future__ import annotations

import re

from rows import Row, Rows

from tables.goals import Line, counts, number, percent, pictures, table, waits
from tables.ours import OWN

PAPER = "mnist-paper-conditional"
FILES = {PAPER: "mnist-paper", OWN: "mnist-tasks"}


def method() -> str:
    """The paper's recipe and ours, with their updates and minutes."""
    found = {system: Rows.read(file).all(system=system) for system, file in FILES.items()}
    lines = [compared(system, rows) for system, rows in found.items() if rows]
    head = "`ebm train` | updates | CPU minutes | FD, fresh samples | FD, replay buffer | FD, fresh, Lite0"
    head += " | judge confidence > 0.9"
    note = "" if found[PAPER] else f"\n\n`{PAPER}` is not measured: {waits(PAPER, 'fd,fd_buffer,fd_lite0,confidence')}."
    return table(head, lines) + note


def compared(system: str, rows: Rows) -> Line:
    fd = (told(rows.find(metric=metric)) or "not measured" for metric in ("minutes", "fd", "fd_buffer", "fd_lite0"))
    sure = rows.find(metric="confident")
    return system, updates(rows[0]), *fd, "not measured" if sure is None else percent(sure)


def techniques() -> str:
    """A line for each variant, and the pictures that are there."""
    rows = Rows.read("techniques")
    if not rows:
        return "Not measured: waits for `python benchmarks/systems.py techniques --steps 400`."
    variants = list(dict.fromkeys(r["variant"] for r in rows))
    metrics = "fd", "fd_buffer", "gap", "minutes"
    lines = [(v, *(told(rows.find(variant=v, metric=metric)) for metric in metrics)) for v in variants]
    fresh, buffer = (counts(rows.all(metric=metric)) for metric in metrics[:2])
    head = (
        f"{updates(rows[0])} updates | FD, {fresh} fresh samples | FD, {buffer} chains of the buffer | gap of energies"
    )
    head += " | CPU minutes"
    return table(head, lines) + pictures({f"Samples: {v}": f"techniques-{v.replace(' ', '-')}.png" for v in variants})


def told(row: Row | None) -> str:
    """A value, which is null where a training has diverged; empty if it was not measured."""
    if row is None:
        return ""
    return "not finite" if row["value"] is None else number(row)


def updates(row: Row) -> str:
    """The number of updates that the command of a row names."""
    return ", ".join(f"{int(n):,}" for n in dict.fromkeys(re.findall(r"--steps (\d+)", row["command"])))
