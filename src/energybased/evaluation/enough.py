"""Statistics that need more examples than there are."""

from __future__ import annotations

from energybased.errors import UserError


class TooFew(UserError):
    """There are fewer examples than a statistic needs. The message says how many it needs.

    `evaluate` skips a metric that raises it, unless the metric was asked for by name.
    """


def require_enough(what: str, least: int, *counts: int) -> None:
    """Raises `TooFew` if one of the counts of examples is less than the least that a statistic needs."""
    if min(counts) < least:
        where = " on each side" if len(counts) > 1 else ""
        raise TooFew(f"{what} needs at least {least} examples{where}, but there are {min(counts)}")
