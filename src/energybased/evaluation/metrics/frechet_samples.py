"""The Fréchet distance of a model's samples to held-out data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from energybased.evaluation.compared import JUDGE, all_features, whole_test
from energybased.evaluation.frechet import frechet_distance
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
        features = all_features(subject, JUDGE)
        yield frechet_row(subject, "fd", subject.samples, "fresh samples", features=features)


def frechet_row(
    subject: Subject, metric: str, x: Tensor, what: str, system: str = "", features: Tensor | None = None
) -> Row:
    """The Fréchet distance of x `(n, *event)` to the test split, as a row. A report shows x.

    Args:
        subject: gives the judge and the test split.
        metric: name of the metric.
        x: pictures, `(n, *event)`.
        what: what the pictures are.
        system: name of the system in the row; the subject's if empty.
        features: the judge's features of x, `(n, 64)`, if they are known.
    """
    judge, test = subject.judge, whole_test(subject).moments
    assert judge is not None
    subject.pictures[system or metric] = x
    protocol = f"fd@{len(x)}({judge.name}, {test.count} test examples, pixels clipped): {what}"
    distance = frechet_distance(judge.features(x) if features is None else features, test)
    return subject.row(metric, distance, protocol, n=len(x), system=system)
