"""Remarks of a command, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def tell(notes: Iterable[str]) -> None:
    """Prints remarks, one a line."""
    for note in notes:
        print(note, file=sys.stderr)


def terms_note(model: Any, path: Path) -> tuple[str, ...]:
    """A remark if the terms of the classes are not fitted: the run at `path` has not finished, or is old."""
    if model.classes == 0 or getattr(model, "fitted", None) is not None:
        return ()
    more = f"ebm train --resume {path} fits them" if path.is_dir() else "export the model anew from its finished run"
    return (f"the terms of the classes are not fitted to data: {more}",)
