"""The Fréchet distance of a model's samples to held-out data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from energybased.evaluation.compared import whole_test
from energybased.evaluation.frechet import frechet_distance
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject


@dataclass(frozen=True)
class FrechetSamples:
    """The Fréchet distance of fresh samples to the test split, in the judge's features."""

    needs: ClassVar[tuple[str, ...]] = ("samples", "held-out data", "judge")

    def measure(self, subject: Subject) -> Iterator[Row]:
        yield frechet_row(subject, "fd", subject.samples, "fresh samples")


def frechet_row(subject: Subject, metric: str, x: Tensor, what: str, system: str = "") -> Row:
    """The Fréchet distance of x `(n, *event)` to the test split, as a row. A report shows x."""
    judge, test = subject.judge, whole_test(subject)
    assert judge is not None
    subject.pictures[system or metric] = x
    protocol = f"fd@{len(x)}({judge.name}, {test.count} test examples, pixels clipped): {what}"
    return subject.row(metric, frechet_distance(judge.features(x), test), protocol, n=len(x), system=system)
