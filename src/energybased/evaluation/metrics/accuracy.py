"""The accuracy of a classifier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.tasks.classify import probabilities


@dataclass(frozen=True)
class Accuracy:
    """Fraction of the test split for which the most probable class is the label."""

    needs: ClassVar[tuple[str, ...]] = ("class logits", "held-out data", "labels")

    def measure(self, subject: Subject) -> Iterator[Row]:
        test = subject.data.test.take()
        assert isinstance(test.y, Tensor)
        found = probabilities(subject.model, subject.data.values(subject.data.test)).argmax(1)
        value = float((found.to(test.y.device) == test.y).float().mean())
        yield subject.row(
            "accuracy", value, f"on the {len(test)} examples of the test split{subject.learned}", n=len(test)
        )
