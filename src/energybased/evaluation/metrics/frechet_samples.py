"""The Fréchet distance of a model's samples to held-out data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from energybased.evaluation.compared import JUDGE, all_features
from energybased.evaluation.metrics.frechet_row import frechet_row, reference
from energybased.evaluation.moments import Moments
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work, samples


@dataclass(frozen=True)
class FrechetSamples:
    """The Fréchet distance of fresh samples to the test split, in the judge's features."""

    needs: ClassVar[tuple[str, ...]] = ("samples", "held-out data", "judge")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield samples(subject)

    def measure(self, subject: Subject) -> Iterator[Row]:
        subject.pictures["fd"] = subject.samples
        features = Moments.of(all_features(subject, JUDGE))
        yield frechet_row(subject, "fd", features, reference(subject), "fresh samples")
