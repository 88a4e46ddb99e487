"""The report of a run."""

from __future__ import annotations

from collections.abc import Sequence

from energybased.evaluation import Row, Subject
from energybased.report.page import page
from energybased.report.section import Contents
from energybased.report.sections import SECTIONS
from energybased.training.run import Run


def report(run: Run, subject: Subject, rows: Sequence[Row], command: str = "") -> str:
    """The report of a run as an HTML page, with all sections whose needs the subject meets.

    Args:
        run: the run.
        subject: its model and data.
        rows: the measured values.
        command: the command that repeats the run; if not given, the training command is derived from the settings.
    """
    contents = Contents(run, subject, rows, command)
    met = [section for section in SECTIONS if not subject.missing(section.needs)]
    bodies = {section.title: list(section.bodies(contents)) for section in met}
    return page(f"{subject.system}: a model of {subject.data.name}", bodies)
