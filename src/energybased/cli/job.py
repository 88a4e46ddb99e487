"""What `ebm restore` is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Generator


@dataclass(frozen=True)
class Job:
    """A file, what restores it, and where to.

    Args:
        run: path of the run, or of the exported model.
        model: its model.
        what: path of the pictures, or of the table.
        out: path of what is written.
        steps: transitions of each chain; None for the length of the recipe, or more if steps are shorter.
        generator: source of random numbers.
        given: text or file of the conditions; None if there is no `--given`.
    """

    run: Path
    model: Any
    what: Path
    out: Path
    steps: int | None
    generator: Generator
    given: str | None = None
