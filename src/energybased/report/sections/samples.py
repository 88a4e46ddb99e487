"""Samples next to held-out data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from energybased.report.drawings import DRAWINGS
from energybased.report.section import Contents

SHOWN = {"pictures": 80, "points": 1000, "curves": 40, "rows": 1000}


class Samples:
    """Samples of the model and held-out data, drawn according to the view of their domain."""

    title: ClassVar[str] = "Samples and data"
    needs: ClassVar[tuple[str, ...]] = ("samples",)

    def bodies(self, contents: Contents) -> Iterator[str]:
        subject = contents.subject
        n, model, data = SHOWN[subject.view], subject.model, subject.data
        drawn = model.sample(n, generator=subject.rng())
        test = data.values(data.test, slice(n))
        layout = ", one class per row" if 0 < model.classes <= n and subject.view == "pictures" else ""
        columns = getattr(data.domain, "columns", ())
        pair = {f"samples of the model, not selected{layout}": drawn, "held-out data": test}
        yield from DRAWINGS[subject.view](pair, model.classes, columns)
