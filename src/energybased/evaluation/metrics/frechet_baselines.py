"""Fréchet distances of baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from energybased.evaluation.compared import JUDGE, all_features
from energybased.evaluation.features import reference_features
from energybased.evaluation.metrics.frechet_samples import frechet_row
from energybased.evaluation.mixtures import baseline_samples, fitting
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work


@dataclass(frozen=True)
class FrechetBaselines:
    """The Fréchet distances of the best mixture of Gaussians, of one Gaussian, and of training examples (the floor).

    The best mixture is the one whose samples have the smallest distance to the validation split. For a conditional
    model, the candidates include mixtures that are fitted class by class.
    """

    needs: ClassVar[tuple[str, ...]] = ("samples", "held-out data", "judge")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield from fitting(subject)

    def measure(self, subject: Subject) -> Iterator[Row]:
        for system, (x, how) in baseline_samples(subject).items():
            yield frechet_row(subject, "fd", x, how, system, all_features(subject, JUDGE, system))
        assert subject.judge is not None
        train = subject.train(subject.count)
        known = reference_features(subject.judge, train).rows
        yield frechet_row(subject, "fd", train, "training examples", "floor", known)
