"""What a section of a report is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from energybased.evaluation import Row, Subject
from energybased.training.run import Run


class Told(NamedTuple):
    """What a report tells of: a run, what is measured of it, and the rows that were measured."""

    run: Run
    subject: Subject
    rows: Sequence[Row]
    command: str = ""


class Section(Protocol):
    """A part of the page; `needs` as those of a metric."""

    @property
    def title(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]: ...

    def bodies(self, told: Told) -> Iterator[str]:
        """HTML, piece by piece; a section without any is left out."""
        ...
