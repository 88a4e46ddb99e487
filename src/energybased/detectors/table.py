"""Tables as users give them, as rows of numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energybased.energy import NUMBER
from energybased.errors import UserError, require

Array = NDArray[Any]
MISSING = ("", "nan", "NaN", "<NA>", "NaT")
MOST_LEVELS = 100  # of a column of categories
NANOSECONDS = 86_400 * 10**9  # of a day
Levels = Mapping[int, Sequence[str]]  # the levels of each column of categories, by its number


def levels_of(table: Any, categories: Sequence[int | str]) -> dict[int, list[str]]:
    """The levels of each column of categories: those that the user names, and columns of a data frame that hold text.

    The 100 most frequent levels of a column are kept; the others count as new.

    Args:
        table: an array `(n, columns)` or a data frame.
        categories: names of columns, or their places.

    Raises:
        UserError: if a column does not exist.
    """
    names = [str(name) for name in table.columns] if is_frame(table) else []
    width, found = np.shape(table)[1], {}
    chosen = {i for i in range(len(names)) if is_text(table.iloc[:, i])}
    for column in categories:
        by_name = isinstance(column, str) and column in names
        place = isinstance(column, (int, np.integer)) and not isinstance(column, bool) and 0 <= column < width
        require(by_name or place, f"there is no column {column!r} for categories among {names or width}")
        chosen.add(names.index(str(column)) if by_name else int(column))
    for column in sorted(chosen):
        counts = Counter(text_of(cell) for cell in column_of(table, column) if not is_missing(cell))
        found[column] = sorted(level for level, _ in counts.most_common(MOST_LEVELS))
    return found


def numbers(table: Any, levels: Levels) -> Array:
    """Rows `(n, columns)` in float64; a category is the number of its level, -1 for a new one, and NaN if missing.

    Raises:
        UserError: if a column that holds numbers in training holds something else.
    """
    made = np.empty(np.shape(table), dtype=np.float64)
    for column in range(made.shape[1]):
        cells = column_of(table, column)
        if column in levels:
            codes = {level: code for code, level in enumerate(levels[column])}
            made[:, column] = [np.nan if is_missing(cell) else codes.get(text_of(cell), -1) for cell in cells]
            continue
        try:
            made[:, column] = as_numbers(cells)
        except (TypeError, ValueError) as error:
            raise UserError(f"column {column} must hold numbers, as in training: {error}") from error
    return made


def as_numbers(cells: Any) -> Array:
    """The cells of a column as numbers; dates in days, missing ones as NaN."""
    array = np.asarray(cells)
    if array.dtype.kind == "M":
        days = array.astype("datetime64[ns]").astype(np.int64) / NANOSECONDS
        return np.where(np.isnat(array), np.nan, days)
    if array.dtype.kind == "O":
        return np.array([np.nan if is_missing(cell) else float(cell) for cell in array], dtype=np.float64)
    return array.astype(np.float64)


def text_of(cell: Any) -> str:
    """A category as text. Equal numbers have the same text, whatever their type."""
    whole = isinstance(cell, (bool, np.bool_, int, float, np.number)) and np.isfinite(cell) and cell == int(cell)
    return str(int(cell)) if whole else str(cell)


def is_frame(table: Any) -> bool:
    """Whether it is a data frame."""
    return hasattr(table, "columns") and hasattr(table, "iloc")


def is_text(column: Any) -> bool:
    """Whether a column of a data frame holds text: anything but numbers, truth values and dates."""
    kind = getattr(column.dtype, "kind", "O")
    return kind not in "biufM" and not all(is_missing(cell) or isinstance(cell, NUMBER) for cell in column)


def column_of(table: Any, column: int) -> Any:
    return table.iloc[:, column] if is_frame(table) else np.asarray(table)[:, column]


def is_missing(cell: Any) -> bool:
    """Whether a cell is empty: None, NaN or a data frame's own mark."""
    return cell is None or str(cell) in MISSING
