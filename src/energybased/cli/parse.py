"""Parsing of settings on the command line."""

from __future__ import annotations

import io
import sys
import typing
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any

import tyro

from energybased.errors import UserError
from energybased.settings import HIDDEN


def hide(recipe: type) -> None:
    """Tells tyro which settings of a recipe are hidden. The recipes do not, because tyro takes long to import."""
    for kind in recipe.__mro__:
        for name, hint in typing.get_type_hints(kind, include_extras=True).items():
            if name in kind.__annotations__ and HIDDEN in getattr(hint, "__metadata__", ()):
                kind.__annotations__[name] = tyro.conf.Suppress[hint]  # type: ignore[misc, valid-type]


def parse(kind: Any, arguments: Sequence[str], **options: Any) -> Any:
    """Parses the arguments with `tyro.cli`.

    Raises:
        UserError: if a setting is out of range; the message is that of its class.
        SystemExit: if a setting is unknown or of another type; the message of tyro is printed.
    """
    messages = io.StringIO()
    try:
        with redirect_stderr(messages):
            return tyro.cli(kind, args=arguments, **options)
    except SystemExit as stop:
        cause: BaseException | None = stop
        while cause is not None and not isinstance(cause, UserError):
            cause = cause.__context__
        if cause is not None:
            raise cause from None
        sys.stderr.write(messages.getvalue())
        raise
