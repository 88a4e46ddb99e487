"""Samples beside held-out data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from energybased.report.drawings import DRAWINGS
from energybased.report.section import Told

SHOWN = {"pictures": 80, "points": 1000, "curves": 40, "rows": 1000}


class Samples:
    """What the model draws, as its domain is drawn."""

    title: ClassVar[str] = "Samples beside data"
    needs: ClassVar[tuple[str, ...]] = ("samples",)

    def bodies(self, told: Told) -> Iterator[str]:
        subject = told.subject
        n, model, data = SHOWN[subject.view], subject.model, subject.data
        drawn = model.sample(n, generator=subject.rng())
        held = data.values(data.test, slice(n))
        apart = ", a class a row" if 0 < model.classes <= n and subject.view == "pictures" else ""
        columns = getattr(data.domain, "columns", ())
        pair = {f"drawn by the model, not picked{apart}": drawn, "held-out data": held}
        yield from DRAWINGS[subject.view](pair, model.classes, columns)
