"""Fréchet distances in the features of networks that others trained on ImageNet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from energybased.evaluation.compared import (
    FLOOR,
    TEST,
    InFeatures,
    described,
    extractor_of,
    features_of,
    number,
    suffix,
    systems,
)
from energybased.evaluation.enough import require_enough
from energybased.evaluation.features import extract
from energybased.evaluation.frechet import frechet_distance
from energybased.evaluation.metrics.frechet_buffer import buffer_samples
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work


@dataclass(frozen=True)
class FrechetFeatures(InFeatures):
    """The Fréchet distances of samples, of the baselines and of training examples (the floor) to the test split.

    There are as many test examples as pictures that are compared with them.
    """

    def measure(self, subject: Subject) -> Iterator[Row]:
        metric, n = f"fd{suffix(self.extractor)}", number(subject)
        require_enough(metric, extractor_of(subject, self.extractor).width + 1, n)
        for system in (*systems(subject)[:-1], "Gaussian", FLOOR):
            rows = features_of(subject, self.extractor, system)
            yield features_row(subject, self.extractor, metric, rows, described(subject, system), system)


@dataclass(frozen=True)
class FrechetBufferFeatures(InFeatures):
    """The Fréchet distance of the chains in the replay buffer of the last checkpoint, after denoising."""

    also: ClassVar[tuple[str, ...]] = ("chains", "replay buffer")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield Work(self.extractor, 2 * number(subject))

    def measure(self, subject: Subject) -> Iterator[Row]:
        metric, extractor = f"fd_buffer{suffix(self.extractor)}", extractor_of(subject, self.extractor)
        x = buffer_samples(subject, number(subject))
        require_enough(metric, extractor.width + 1, len(x))
        rows = extract(extractor, x).rows
        yield features_row(subject, self.extractor, metric, rows, "chains of the replay buffer")


def features_row(subject: Subject, extractor: str, metric: str, rows: Tensor, what: str, system: str = "") -> Row:
    """The Fréchet distance of features `(n, d)` to those of n test examples, as a row.

    Args:
        subject: gives the test split.
        extractor: name of the network.
        metric: name of the metric.
        rows: features of the pictures, `(n, d)`.
        what: what the pictures are.
        system: name of the system in the row; the subject's if empty.
    """
    test = features_of(subject, extractor, TEST)
    n = min(len(rows), len(test))
    name = extractor_of(subject, extractor).name
    protocol = f"fd@{n}({name}, {n} test examples, pixels clipped): {what}"
    return subject.row(metric, frechet_distance(rows[:n], test[:n]), protocol, n=n, system=system)
