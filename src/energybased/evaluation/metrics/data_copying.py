"""Whether samples are copies of training examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from energybased.evaluation.copying import copying, nearest
from energybased.evaluation.features import PART
from energybased.evaluation.row import Row
from energybased.evaluation.subject import SAMPLES, Subject
from energybased.evaluation.work import Work, samples


@dataclass(frozen=True)
class DataCopying:
    """How often a sample is nearer to its nearest training example than a test example is (Meehan et al. 2020).

    Distances are Euclidean, in the entries of x and, for pictures with a judge, in its features. All training examples
    are searched.
    """

    needs: ClassVar[tuple[str, ...]] = ("samples", "held-out data")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield samples(subject)

    def measure(self, subject: Subject) -> Iterator[Row]:
        drawn, test = subject.samples[:SAMPLES].cpu(), subject.some(SAMPLES)
        for space in spaces(subject):
            found = [nearest(rows_of(subject, space, x), training(subject, space))[0] for x in (drawn, test)]
            sides = f"{len(drawn)} samples and {len(test)} test examples, to the nearest of {len(subject.data.train)}"
            protocol = f"share of pairs in which the sample is nearer: distances of {sides} training examples, {space}"
            yield subject.row(f"copying_{space}", copying(*found), f"{protocol}; 0.5 if they are alike", n=len(drawn))


def spaces(subject: Subject) -> tuple[str, ...]:
    """Where the nearest training examples are searched."""
    entries = "pixels" if subject.view == "pictures" else "entries"
    return (entries, "judge") if subject.has("judge") else (entries,)


def training(subject: Subject, space: str) -> Iterator[Tensor]:
    """The training examples as rows `(m, d)`, part by part."""
    data = subject.data
    for start in range(0, len(data.train), PART):
        yield rows_of(subject, space, data.values(data.train, slice(start, start + PART)))


def rows_of(subject: Subject, space: str, x: Tensor) -> Tensor:
    """Examples x `(n, *event)` as rows `(n, d)`: the judge's features, or all entries."""
    if space == "judge":
        assert subject.judge is not None
        return subject.judge.features(x).cpu()
    return x.flatten(1)
