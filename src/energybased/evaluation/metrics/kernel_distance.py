"""The kernel distance of samples to held-out data."""

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
from energybased.evaluation.kernel_distance import kernel_distance
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject


@dataclass(frozen=True)
class KernelDistance(InFeatures):
    """The kernel distances (KID) of samples, the baselines and the floor to the test split, with their errors."""

    def measure(self, subject: Subject) -> Iterator[Row]:
        metric, name = f"kd{suffix(self.extractor)}", extractor_of(subject, self.extractor).name
        test = features_of(subject, self.extractor, TEST)
        for system in (*systems(subject), "Gaussian", FLOOR):
            rows = features_of(subject, self.extractor, system)
            found = kernel_distance(rows, test)
            protocol = f"kd@{len(rows)}({name}, {len(test)} test examples): {described(subject, system)}"
            yield subject.row(metric, found.value, protocol, n=len(rows), system=system)
            error = f"standard error of {protocol}"
            yield subject.row(f"kd_error{suffix(self.extractor)}", found.error, error, n=len(rows), system=system)
