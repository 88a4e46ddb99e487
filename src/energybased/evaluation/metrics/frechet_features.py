"""Fréchet distances in the features of networks that others trained on ImageNet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from energybased.evaluation.compared import (
    FLOOR,
    InFeatures,
    described,
    extractor_of,
    features_of,
    number,
    suffix,
    systems,
)
from energybased.evaluation.metrics.frechet_row import frechet_row, reference, require_frechet
from energybased.evaluation.moments import Moments
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject


@dataclass(frozen=True)
class FrechetFeatures(InFeatures):
    """The Fréchet distances of samples, of the baselines and of training examples (the floor) to the test split.

    There are as many test examples as pictures that are compared with them.
    """

    def measure(self, subject: Subject) -> Iterator[Row]:
        metric, n = f"fd{suffix(self.extractor)}", number(subject)
        require_frechet(extractor_of(subject, self.extractor), n, n)
        against = reference(subject, self.extractor, n)
        for system in (*systems(subject), "Gaussian", FLOOR):
            features = Moments.of(features_of(subject, self.extractor, system))
            yield frechet_row(subject, metric, features, against, described(subject, system), system)
