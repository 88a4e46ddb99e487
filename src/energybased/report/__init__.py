"""A report of a run: one HTML page, whose sections are in `sections`, one per file."""

from energybased.report.report import report

__all__ = ["report"]
