"""What a metric is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject


@runtime_checkable
class Metric(Protocol):
    """A measurement, as a frozen dataclass in a file of its own.

    `needs` names what a subject must have (see `subject.CHECKS` and `Model.offers`); where it has not, the metric is
    skipped, and that is said. One with `optional = True` is measured when it is asked for by name.
    """

    @property
    def needs(self) -> tuple[str, ...]: ...

    def measure(self, subject: Subject) -> Iterator[Row]:
        """The rows of this metric."""
        ...
