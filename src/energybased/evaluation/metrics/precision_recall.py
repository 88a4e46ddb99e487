"""Precision, recall, density and coverage of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from energybased.evaluation.compared import JUDGE, TEST, described, extractor_of, features_of, needs_of, suffix, systems
from energybased.evaluation.neighbours import DENSITY_K, PRECISION_K, coverage
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision, recall, density and coverage of samples, of the best mixture and of the floor against the test split.

    Args:
        extractor: "judge", or the name of a network in `extractors.EXTRACTORS`.
    """

    extractor: str = JUDGE

    @property
    def needs(self) -> tuple[str, ...]:
        """What the subject must have."""
        return needs_of(self.extractor, "samples")

    @property
    def optional(self) -> bool:
        """Whether it must be asked for by name: the features of other networks than the judge take minutes."""
        return self.extractor != JUDGE

    def measure(self, subject: Subject) -> Iterator[Row]:
        name = extractor_of(subject, self.extractor).name
        test = features_of(subject, self.extractor, TEST)
        for system in systems(subject):
            rows = features_of(subject, self.extractor, system)
            for quantity, value in coverage(rows, test)._asdict().items():
                k = PRECISION_K if quantity in ("precision", "recall") else DENSITY_K
                sides = f"{len(rows)} pictures and {len(test)} test examples, {k} neighbours"
                protocol = f"{quantity}({name}, {sides}): {described(subject, system)}"
                yield subject.row(f"{quantity}{suffix(self.extractor)}", value, protocol, n=len(rows), system=system)
