"""The protocol of a section of a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from energybased.evaluation import Row, Subject
from energybased.training.run import Run


class Contents(NamedTuple):
    """The contents of a report.

    Args:
        run: the run.
        subject: its model and data.
        rows: the measured values.
        command: the command that repeats the run; empty if it is to be derived from the settings.
    """

    run: Run
    subject: Subject
    rows: Sequence[Row]
    command: str = ""


class Section(Protocol):
    """A part of the page."""

    @property
    def title(self) -> str:
        """The title of the section."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """What the subject must have, as for a metric."""
        ...

    def bodies(self, contents: Contents) -> Iterator[str]:
        """Yields pieces of HTML. A section that yields nothing is left out."""
        ...
