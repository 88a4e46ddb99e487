"""Parsing of settings on the command line."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any

import tyro

from energybased.errors import UserError


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
