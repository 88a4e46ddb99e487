"""Data sets by name, and a user's own files. A new one is a file and a line in `DATASETS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from energybased.data.dataset import DataSet, Split
from energybased.data.digits import digits
from energybased.data.files import from_path
from energybased.errors import UserError, nearest

DATASETS: dict[str, Callable[[], DataSet]] = {"digits": digits}


def load_data(source: str) -> DataSet:
    """The data set of this name, or what lies at this path."""
    if source in DATASETS:
        return DATASETS[source]()
    if Path(source).suffix or Path(source).exists():
        return from_path(source)
    raise UserError(f"there is no data set {source!r}: {nearest(source, DATASETS)}")


__all__ = ["DATASETS", "DataSet", "Split", "from_path", "load_data"]
