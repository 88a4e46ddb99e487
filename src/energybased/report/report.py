"""A run as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence

from energybased.evaluation import Row, Subject
from energybased.report.page import Page
from energybased.report.section import Told
from energybased.report.sections import SECTIONS
from energybased.training.run import Run


def report(run: Run, subject: Subject, rows: Sequence[Row], command: str = "") -> str:
    """The page of a run: the sections whose needs it meets.

    Args:
        rows: what was measured.
        command: that makes the run again; the training command if not given.
    """
    told, page = Told(run, subject, rows, command), Page(f"{subject.system}: a model of {subject.data.name}")
    for section in SECTIONS:
        if not subject.missing(section.needs):
            bodies = list(section.bodies(told))
            if bodies:
                page.add(section.title, *bodies)
    return page.render()
