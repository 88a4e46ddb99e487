"""Models whose classes are not weighed by data."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def unweighed(model: Any, path: Path) -> tuple[str, ...]:
    """A remark if the terms of the classes were not fitted: the run at `path` has not finished, or is old."""
    if model.classes == 0 or getattr(model, "fitted", None) is not None:
        return ()
    more = f"ebm train --resume {path} does it" if path.is_dir() else "export the model anew from its finished run"
    return (f"the classes are not weighed by data: {more}",)
