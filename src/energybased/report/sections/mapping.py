"""Pictures on their way to another class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor

from energybased.data.pictures import grid
from energybased.report.page import picture
from energybased.report.section import Contents
from energybased.tasks.across import TETHER, across

SHOWN = 8


class Mapping:
    """The first test pictures, each mapped to the class after its own."""

    title: ClassVar[str] = "From one class to another"
    needs: ClassVar[tuple[str, ...]] = ("chains", "classes", "pictures", "held-out data", "labels")

    def bodies(self, contents: Contents) -> Iterator[str]:
        subject = contents.subject
        taken, judge = subject.data.test.take(slice(SHOWN)), subject.judge
        assert isinstance(taken.y, Tensor)
        x, targets = subject.data.domain.read(taken.x), (taken.y + 1) % subject.model.classes
        film = across(subject.model, x, targets, film=True, generator=subject.rng()).film
        assert film is not None
        caption = (
            f"The first {len(x)} pictures of the test split (left), not selected, become the class after their own: "
            f"states of one chain each, tether {TETHER:g}"
        )
        if judge is not None:
            called = int((judge.probabilities(film[:, -1]).argmax(1).cpu() == targets.cpu()).sum())
            caption += f". The judge calls {called} of {len(x)} the new class"
        yield picture(grid(film.flatten(0, 1).cpu(), columns=film.shape[1]), caption)
