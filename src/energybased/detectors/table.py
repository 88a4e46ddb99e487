"""Tables as users give them, as rows of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energybased.errors import require

Array = NDArray[Any]
Levels = Mapping[int, Sequence[str]]  # the levels of each column of categories, by its number


def levels_of(table: Any, categories: Sequence[int | str]) -> dict[int, list[str]]:
    """The levels of each column of categories: those that the user names, and columns of a data frame that hold text.

    Args:
        table: an array or a data frame.
        categories: names or numbers of columns.

    Raises:
        UserError: if a column does not exist.
    """
    names = [str(name) for name in table.columns] if is_frame(table) else []
    width, found = np.shape(table)[1], {}
    chosen = {i for i in range(len(names)) if is_text(table.iloc[:, i])}
    for column in categories:
        by_name = str(column) in names and isinstance(column, str)
        known = by_name or (isinstance(column, (int, np.integer)) and 0 <= column < width)
        require(known, f"there is no column {column!r} for categories among {names or width}")
        chosen.add(names.index(str(column)) if by_name else int(column))
    for column in sorted(chosen):
        cells = column_of(table, column)
        found[column] = sorted({str(cell) for cell in cells if not is_missing(cell)})
    return found


def numbers(table: Any, levels: Levels) -> Array:
    """Rows `(n, columns)` in float64; a category is the number of its level, -1 for a new one, and NaN if missing."""
    if not levels:
        return np.asarray(table, dtype=np.float64)
    made = np.empty(np.shape(table), dtype=np.float64)
    for column in range(made.shape[1]):
        cells = column_of(table, column)
        if column in levels:
            codes = {level: code for code, level in enumerate(levels[column])}
            made[:, column] = [np.nan if is_missing(cell) else codes.get(str(cell), -1) for cell in cells]
        else:
            made[:, column] = np.asarray(cells, dtype=np.float64)
    return made


def is_frame(table: Any) -> bool:
    """Whether it is a data frame."""
    return hasattr(table, "columns") and hasattr(table, "iloc")


def is_text(column: Any) -> bool:
    """Whether a column of a data frame holds anything but numbers."""
    return not (hasattr(column.dtype, "kind") and column.dtype.kind in "fiu")


def column_of(table: Any, column: int) -> Any:
    return table.iloc[:, column] if is_frame(table) else np.asarray(table)[:, column]


def is_missing(cell: Any) -> bool:
    """Whether a cell is empty: None, NaN or a data frame's own mark."""
    return cell is None or cell != cell or str(cell) in ("<NA>", "NaT", "nan", "")
