"""Two-sample tests of a model's samples against held-out data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from energybased.evaluation.classifier_test import classifier_two_sample_test
from energybased.evaluation.mean_discrepancy import maximum_mean_discrepancy
from energybased.evaluation.row import Row
from energybased.evaluation.standardised import ROWS, standardised
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work, drawing

TESTS = {
    "c2st": (classifier_two_sample_test, "cross-fitted AUROC of a classifier"),
    "mmd": (maximum_mean_discrepancy, "squared maximum mean discrepancy, unbiased"),
}


@dataclass(frozen=True)
class TwoSampleTest:
    """A two-sample test of samples against the test split, for a model and for baselines. The columns are standardised.

    Args:
        name: "c2st", the classifier two-sample test, or "mmd", the maximum mean discrepancy.
    """

    needs: ClassVar[tuple[str, ...]] = ("samples", "ten test examples", "real numbers")

    name: str

    def work(self, subject: Subject) -> Iterator[Work]:
        yield drawing(subject, ROWS, shared=True)

    def measure(self, subject: Subject) -> Iterator[Row]:
        samples, test = standardised(subject)
        for system, x in samples.items():
            yield from two_sample_rows(subject, self.name, self.name, x, test, "rows of the test split", system)


def two_sample_rows(
    subject: Subject, test: str, metric: str, x: Tensor, y: Tensor, against: str, system: str = ""
) -> Iterator[Row]:
    """The value and the p-value of a two-sample test as rows.

    Args:
        subject: names data and seed.
        test: "c2st" or "mmd".
        metric: name of the value; that of the p-value has "_p" added.
        x: samples, `(n, dim)`.
        y: what they are compared with, `(m, dim)`.
        against: what y is, in words.
        system: see `Subject.row`.
    """
    function, words = TESTS[test]
    outcome = function(x, y, subject.rng())
    protocol = f"{words}: {len(x)} rows against {len(y)} {against}, columns standardised"
    yield subject.row(metric, outcome.value, protocol, n=len(x), system=system)
    yield subject.row(f"{metric}_p", outcome.p_value, f"p-value by permutations; {protocol}", n=len(x), system=system)
