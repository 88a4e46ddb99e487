"""The pictures that a subject's metrics compare, and their features, each drawn and computed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from energybased.evaluation.extractors import EXTRACTORS, Extractor
from energybased.evaluation.features import Features, extract, reference_features
from energybased.evaluation.mixtures import baseline_samples, fitting
from energybased.evaluation.subject import LITE, Subject
from energybased.evaluation.work import Work, samples

TEST, FLOOR = "test split", "floor"
JUDGE = "judge"
NEEDS = {JUDGE: ("judge",), "lite0": ("pictures", LITE[0]), "lite1": ("pictures", LITE[1]), "inception": ("pictures",)}


@dataclass(frozen=True)
class InFeatures:
    """Base class of metrics in the features of an extractor.

    Args:
        extractor: "judge", or the name of a network in `extractors.EXTRACTORS`.
    """

    also: ClassVar[tuple[str, ...]] = ("samples",)  # what is needed beside data and features

    extractor: str = JUDGE

    @property
    def needs(self) -> tuple[str, ...]:
        """What the subject must have."""
        return (*self.also, "held-out data", *NEEDS[self.extractor])

    @property
    def optional(self) -> bool:
        """Whether it must be asked for by name: the features of other networks than the judge take minutes."""
        return self.extractor != JUDGE

    def work(self, subject: Subject) -> Iterator[Work]:
        """Samples and baselines, and the features of both, of the two splits and of one Gaussian."""
        yield samples(subject)
        yield from fitting(subject)
        if self.extractor != JUDGE:
            yield Work(self.extractor, 5 * number(subject), shared=True)


def suffix(extractor: str) -> str:
    """What the names of metrics end with: nothing for the judge."""
    return "" if extractor == JUDGE else f"_{extractor}"


def extractor_of(subject: Subject, name: str) -> Extractor:
    """The judge, or another extractor by its name in `extractors.EXTRACTORS`, which is loaded once."""
    if name == JUDGE:
        assert subject.judge is not None
        return subject.judge
    place = getattr(subject.model, "place", None)
    device = torch.device("cpu") if place is None else place.device
    return subject.once(f"extractor {name}", lambda: EXTRACTORS[name](subject.inception, device))


def number(subject: Subject) -> int:
    """How many pictures metrics compare on both sides: `subject.count`, or the test or training split if smaller."""
    return min(subject.count, len(subject.test), len(subject.data.train))


def features_of(subject: Subject, extractor: str, system: str) -> Tensor:
    """The features `(n, d)` of n pictures of a system, n being `number`.

    Systems are "" for the model, a baseline, the test split, or the floor, which is the training split. Pictures of a
    split are a random subset: a published order need not be random.
    """
    n, data = number(subject), subject.data
    if system == TEST and extractor == JUDGE:
        rows = whole_test(subject).rows
        return rows[_some(len(rows), n)]
    if system not in (TEST, FLOOR):
        return all_features(subject, extractor, system)[:n]

    def found() -> Tensor:
        size = len(subject.test if system == TEST else data.train)
        x = subject.test[_some(size, n)] if system == TEST else data.values(data.train, _some(size, n))
        return reference_features(extractor_of(subject, extractor), x).rows

    return subject.once(f"features {extractor} {system}", found)


def all_features(subject: Subject, extractor: str, system: str = "") -> Tensor:
    """The features `(count, d)` of all samples of the model or a baseline, computed once; a baseline's are cached."""

    def found() -> Tensor:
        read, x = (reference_features, baseline_samples(subject)[system][0]) if system else (extract, subject.samples)
        return read(extractor_of(subject, extractor), x).rows

    return subject.once(f"features {extractor} {system}", found)


def whole_test(subject: Subject) -> Features:
    """The judge's features of all test examples."""
    return subject.once("whole test", lambda: reference_features(extractor_of(subject, JUDGE), subject.test))


def systems(subject: Subject) -> tuple[str, ...]:
    """The model, and the best mixture if there is a judge to choose it."""
    return "", *(["best mixture"] if subject.judge is not None else [])


def described(subject: Subject, system: str) -> str:
    """What a system is, in the protocol of a row."""
    fixed = {"": "fresh samples", FLOOR: "training examples", TEST: "test examples"}
    return fixed[system] if system in fixed else baseline_samples(subject)[system][1].split(",")[0]


def _some(n: int, wanted: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(0), device="cpu")[:wanted]
