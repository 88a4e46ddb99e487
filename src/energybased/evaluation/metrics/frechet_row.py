"""Fréchet distances to the test split, as rows."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from energybased.evaluation.compared import JUDGE, TEST, extractor_of, features_of, whole_test
from energybased.evaluation.enough import require_enough
from energybased.evaluation.extractors import Extractor
from energybased.evaluation.features import extract
from energybased.evaluation.frechet import frechet_distance
from energybased.evaluation.moments import Moments
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject


class Reference(NamedTuple):
    """The test examples to which a Fréchet distance is measured.

    Args:
        extractor: in whose features.
        moments: of the features of the examples.
    """

    extractor: Extractor
    moments: Moments


def reference(subject: Subject, extractor: str = JUDGE, n: int = 0) -> Reference:
    """All test examples in the features of the judge, or n random ones in those of another network, which is slow."""
    found = whole_test(subject).moments if extractor == JUDGE else Moments.of(features_of(subject, extractor, TEST)[:n])
    return Reference(extractor_of(subject, extractor), found)


def require_frechet(extractor: Extractor, *counts: int) -> None:
    """Raises `TooFew` if there are no more pictures than features on a side: a covariance is then singular."""
    require_enough(f"a Fréchet distance in the features of {extractor.name}", extractor.width + 1, *counts)


def frechet_row(
    subject: Subject, metric: str, x: Tensor | Moments, against: Reference, what: str, system: str = ""
) -> Row:
    """The Fréchet distance of pictures to test examples, as a row.

    Args:
        subject: names data and seed.
        metric: name of the metric.
        x: the pictures, `(n, *event)`, or the moments of their features.
        against: the test examples.
        what: what the pictures are.
        system: name of the system in the row; the subject's if empty.

    Raises:
        TooFew: if there are no more pictures than features, on either side.
    """
    found = x if isinstance(x, Moments) else extract(against.extractor, x).moments
    name, n = against.extractor.name, found.count
    require_frechet(against.extractor, n, against.moments.count)
    protocol = f"fd@{n}({name}, {against.moments.count} test examples, pixels clipped): {what}"
    return subject.row(metric, frechet_distance(found, against.moments), protocol, n=n, system=system)
