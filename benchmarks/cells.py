"""What tables of results are made of: rows of results/*.json, numbers with their spread, verdicts."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent


def results(name: str) -> dict[str, dict]:
    return {r["what"]: r for r in json.loads((ROOT / "results" / name).read_text())}


def number(r: dict, digits: int = 1) -> str:
    spread = "" if r["sd"] is None else f" ± {r['sd']:.{digits}f}"
    return f"{r['value']:.{digits}f}{spread}"


def line(what: str, reach: str, stretch: str, measured: str, met: str) -> str:
    return f"| {what} | {reach} | {stretch} | {measured} | {met} |"


def verdict(value: float, reach: float, stretch: float | None = None) -> str:
    """Both bounds are named where they disagree: the stretch is not always the narrower."""
    if value > reach:
        return "**missed**" if stretch is None or value > stretch else "**missed**; the stretch is met"
    return "yes, and the stretch" if stretch is not None and value <= stretch else "yes"
