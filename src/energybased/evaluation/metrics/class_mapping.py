"""Pictures of one class mapped to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from energybased.data import Split
from energybased.evaluation.restoration import mse
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work, drawing, restoring
from energybased.models.degradation import GaussianNoise
from energybased.tasks.across import across

TETHERS: tuple[float | None, ...] = (0.5, 0.8, 1.2, 1.6, 2.0, 2.4, 3.0, None)  # from the strongest
WANTED = 0.9  # least part of mapped validation pictures that the judge gives the target, by that of fresh samples


@dataclass(frozen=True)
class ClassMapping:
    """Pictures of each class mapped to other classes: how often the judge calls the target, and how far they moved.

    `mapped` is the part that the judge gives the target. `mapped_distance` is the mean Euclidean distance of a mapped
    picture to its source, per pixel (root mean square), beside that of fresh samples of the same classes. The tether is
    the strongest with which mapped pictures of the validation split are called the target nine tenths as often as fresh
    samples of the targets are.

    Args:
        pictures: number of random test pictures, and of validation pictures.
    """

    needs: ClassVar[tuple[str, ...]] = (
        "classes",
        "chains",
        "held-out data",
        "validation data",
        "pictures",
        "judge",
        "labels",
    )
    optional: ClassVar[bool] = True

    pictures: int = 200

    def work(self, subject: Subject) -> Iterator[Work]:
        n, one = min(self.pictures, len(subject.data.test)), replace(subject, model=subject.model.given(0))
        for tether in TETHERS:
            yield drawing(one, n) if tether is None else restoring(one, n, GaussianNoise(tether))
        yield drawing(subject, 3 * n)

    def measure(self, subject: Subject) -> Iterator[Row]:
        model, judge = subject.model, subject.judge
        assert judge is not None
        held, targets = self._pairs(subject, subject.data.validation)
        wanted = WANTED * judge.accuracy(self._fresh(subject, targets), targets)
        for tether in TETHERS:
            x = across(model, held, targets, tether=tether, generator=subject.rng()).x
            if judge.accuracy(x, targets) >= wanted:
                break
        source, targets = self._pairs(subject, subject.data.test)
        x = across(model, source, targets, tether=tether, generator=subject.rng()).x.cpu()
        fresh = self._fresh(subject, targets).cpu()
        named = "no tether" if tether is None else f"tether {tether:g}"
        how = f"{len(x)} random test pictures mapped to other classes, {named}, chosen on the validation split"
        how += subject.learned
        beside = f"{len(x)} fresh samples of the same classes"
        for system, made, protocol in (("", x, how), ("fresh samples", fresh, beside)):
            distance = float(mse(made, source).sqrt().mean())
            yield subject.row("mapped", judge.accuracy(made, targets), protocol, n=len(x), system=system)
            yield subject.row("mapped_distance", distance, protocol, n=len(x), system=system)

    def _fresh(self, subject: Subject, targets: Tensor) -> Tensor:
        return subject.model.given(targets).sample(len(targets), generator=subject.rng())

    def _pairs(self, subject: Subject, split: Split) -> tuple[Tensor, Tensor]:
        """Pictures `(n, *event)` of a split, and a class `(n,)` for each that is not its own."""
        taken = split.some(self.pictures)
        assert isinstance(taken.y, Tensor)
        classes = subject.model.classes
        moved = torch.randint(1, classes, (len(taken),), generator=subject.rng())
        return subject.data.domain.read(taken.x), (taken.y + moved) % classes
