"""The protocol of a metric."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject


@runtime_checkable
class Metric(Protocol):
    """A measurement, as a frozen dataclass in a file of its own.

    A metric is skipped, with a message, if the subject lacks something in `needs`. A metric with `optional = True` is
    measured only if it is asked for by name. One that takes long has a method `work(subject)`, which yields `Work`:
    what it repeats, from which `cost.expected` estimates its duration.
    """

    @property
    def needs(self) -> tuple[str, ...]:
        """What the subject must have; see `subject.CHECKS` and `models.model.OFFERS` for the names."""
        ...

    def measure(self, subject: Subject) -> Iterator[Row]:
        """Measures the subject and yields the values as rows."""
        ...
