"""Lines of the tables: numbers, and measured values beside their targets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from rows import RESULTS, Row

GOALS = "what | target | stretch target | measured | met"
BASELINES = ("Gaussian", "best mixture", "floor")
Line = tuple[str, ...]
Bound = tuple[float, str]  # a bound and its text


def table(head: str, lines: Iterable[Sequence[str]]) -> str:
    columns = head.split(" | ")
    return "\n".join([f"| {head} |", "|" + "---|" * len(columns), *(f"| {' | '.join(line)} |" for line in lines)])


def number(r: Row, digits: int = 1) -> str:
    return f"{r['value']:.{digits}f}" + ("" if r["sd"] is None else f" ± {r['sd']:.{digits}f}")


def percent(r: Row) -> str:
    return f"{r['value']:.1%}" + ("" if r["sd"] is None else f" ± {r['sd']:.1%}")


def numbers(rows: Iterable[Row]) -> str:
    return "; ".join(map(number, rows))


def verdict(value: float, target: float, stretch: float | None = None) -> str:
    """Whether a value is at most the target and the stretch target. The stretch target may be the larger one."""
    stretched = stretch is not None and value <= stretch
    if value > target:
        return "**missed**; the stretch target is met" if stretched else "**missed**"
    return "yes, and the stretch target" if stretched else "yes"


def goal(
    what: str, measured: str, value: float = 0.0, target: Bound | None = None, stretch: Bound | None = None
) -> Line:
    """A line of a table of targets. Targets are upper bounds; for lower bounds, value and targets are negated."""
    met = "" if target is None else verdict(value, target[0], None if stretch is None else stretch[0])
    return what, "" if target is None else target[1], "" if stretch is None else stretch[1], measured, met


def unmeasured(what: str, why: str, target: str = "", stretch: str = "") -> Line:
    """The line of a value that has no row yet."""
    return what, target, stretch, f"not measured: {why}", ""


def counts(found: Iterable[Row]) -> str:
    """The numbers of samples of Fréchet distances, which their protocols begin with."""
    return " and ".join(dict.fromkeys(f"{int(n):,}" for r in found for n in re.findall(r"@(\d+)\(", r["protocol"])))


def pictures(files: Mapping[str, str]) -> str:
    """The pictures of results/ that are there, by their words, below a table."""
    return "".join(f"\n\n![{words}](results/{file})" for words, file in files.items() if (RESULTS / file).exists())


def waits(recipe: str, metrics: str) -> str:
    """The commands that a line waits for."""
    return f"waits for `ebm train {recipe}`, `ebm evaluate RUN --metrics {metrics}`"
