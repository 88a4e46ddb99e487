"""The Inception score of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from energybased.evaluation.compared import TEST, InFeatures, described, extractor_of, features_of, suffix, systems
from energybased.evaluation.inception_score import inception_score
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject


@dataclass(frozen=True)
class InceptionScore(InFeatures):
    """The Inception scores of samples, of the best mixture and of the test split, with their standard errors.

    The classes are those that the extractor assigns.
    """

    def measure(self, subject: Subject) -> Iterator[Row]:
        metric, extractor = f"is{suffix(self.extractor)}", extractor_of(subject, self.extractor)
        for system in (*systems(subject), TEST):
            rows = features_of(subject, self.extractor, system)
            found = inception_score(extractor.classify(rows).cpu())
            protocol = f"is@{len(rows)}({extractor.name}): {described(subject, system)}"
            yield subject.row(metric, found.value, protocol, n=len(rows), system=system)
            error = f"standard error of {protocol}"
            yield subject.row(f"is_error{suffix(self.extractor)}", found.error, error, n=len(rows), system=system)
