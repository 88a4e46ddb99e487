"""Fréchet distances of baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from energybased.evaluation.compared import FLOOR, JUDGE, all_features
from energybased.evaluation.features import reference_features
from energybased.evaluation.metrics.frechet_row import frechet_row, reference
from energybased.evaluation.mixtures import baseline_samples, fitting
from energybased.evaluation.moments import Moments
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
        against = reference(subject)
        for system, (_, how) in baseline_samples(subject).items():
            features = Moments.of(all_features(subject, JUDGE, system))
            yield frechet_row(subject, "fd", features, against, how, system)
        known = reference_features(against.extractor, subject.train(subject.count)).moments
        yield frechet_row(subject, "fd", known, against, "training examples", FLOOR)
