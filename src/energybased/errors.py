"""The one error that is the user's to mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Something the caller gave cannot be used; the message is one sentence that names it.

    The command line prints the message and exits with 2, without a traceback.

    Args:
        told: whether another process has printed the message.
    """

    told = False


class Interrupted(Exception):
    """Ctrl-C came; a checkpoint is written, and the message says how to go on.

    Args:
        message: how to go on.
        told: whether another process prints the message.
    """

    def __init__(self, message: str, told: bool = False) -> None:
        super().__init__(message)
        self.told = told


def nearest(name: str, known: Iterable[str], also: Iterable[str] = ()) -> str:
    """The part of a sentence that suggests the closest of `known` and `also`, and lists `known`.

    >>> nearest("digit", ["digits", "mnist"])
    "did you mean 'digits'? (known: digits, mnist)"
    """
    known = sorted(known)
    pool = [*known, *also]
    close = difflib.get_close_matches(name, pool, n=1) or difflib.get_close_matches(name.lower(), pool, n=1)
    listing = f"known: {', '.join(known)}"
    return f"did you mean {close[0]!r}? ({listing})" if close else listing


def require(condition: bool, message: str) -> None:
    """Raise `UserError(message)` unless `condition` holds."""
    if not condition:
        raise UserError(message)
