"""A run as one HTML page: sections, one a file in `sections`, over what was measured."""

from energybased.report.report import report

__all__ = ["report"]
