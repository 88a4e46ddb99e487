"""Precision, recall, density and coverage of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from energybased.evaluation.compared import (
    FLOOR,
    TEST,
    InFeatures,
    described,
    extractor_of,
    features_of,
    suffix,
    systems,
)
from energybased.evaluation.neighbours import DENSITY_K, PRECISION_K, coverage
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject


@dataclass(frozen=True)
class PrecisionRecall(InFeatures):
    """Precision, recall, density and coverage of samples, the best mixture and the floor against the test split."""

    def measure(self, subject: Subject) -> Iterator[Row]:
        name = extractor_of(subject, self.extractor).name
        test = features_of(subject, self.extractor, TEST)
        for system in (*systems(subject), FLOOR):
            rows = features_of(subject, self.extractor, system)
            for quantity, value in coverage(rows, test)._asdict().items():
                k = PRECISION_K if quantity in ("precision", "recall") else DENSITY_K
                sides = f"{len(rows)} pictures and {len(test)} test examples, {k} neighbours"
                protocol = f"{quantity}({name}, {sides}): {described(subject, system)}"
                yield subject.row(f"{quantity}{suffix(self.extractor)}", value, protocol, n=len(rows), system=system)
