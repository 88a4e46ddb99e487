"""Samples of compositions of two classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from energybased.data.pictures import grid
from energybased.report.page import picture
from energybased.report.section import Contents
from energybased.tasks.compose import compose

PAIR = (3, 8)  # the classes, if the model has at least nine


class Composition:
    """Samples of the mixture and of the product of two classes, and the classes that the judge assigns to them."""

    title: ClassVar[str] = "Composition"
    needs: ClassVar[tuple[str, ...]] = ("chains", "classes", "pictures", "judge")

    def bodies(self, contents: Contents) -> Iterator[str]:
        model, judge = contents.subject.model, contents.subject.judge
        assert judge is not None
        pair = PAIR if model.classes > max(PAIR) else (0, model.classes - 1)
        figures = []
        for name, x in compose(model, pair, contents.subject.rng()).items():
            found = judge.probabilities(x).argmax(1)
            shares = ", ".join(f"{(found == label).float().mean():.0%} a {label}" for label in pair)
            figures.append(picture(grid(x, columns=8), f"{name}: classified by the judge as {shares}"))
        yield f'<div class="pair">{"".join(figures)}</div>'
