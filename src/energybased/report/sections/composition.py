"""The energies of two classes, sampled together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from energybased.data.pictures import grid
from energybased.report.page import picture
from energybased.report.section import Told
from energybased.tasks.compose import compose

PAIR = (3, 8)  # classes, where there are as many


class Composition:
    """One class or the other, and both at once."""

    title: ClassVar[str] = "Composition"
    needs: ClassVar[tuple[str, ...]] = ("chains", "classes", "pictures", "judge")

    def bodies(self, told: Told) -> Iterator[str]:
        model, judge = told.subject.model, told.subject.judge
        assert judge is not None
        pair = PAIR if model.classes > max(PAIR) else (0, model.classes - 1)
        figures = []
        for name, x in compose(model, pair, told.subject.rng()).items():
            found = judge.probabilities(x).argmax(1)
            shares = ", ".join(f"{(found == label).float().mean():.0%} a {label}" for label in pair)
            figures.append(picture(grid(x, columns=8), f"{name}: to the judge {shares}"))
        yield f'<div class="pair">{"".join(figures)}</div>'
