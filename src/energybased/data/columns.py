"""Tables as named columns, from `.csv` and `.parquet` files and from data frames."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from energybased.conditions import is_number
from energybased.errors import UserError, nearest, require

Columns = Mapping[str, NDArray[Any]]  # a column is float64, or text if a cell is not a number
SUFFIXES = (".csv", ".parquet")
DELIMITERS = ",;\t|"


def read_columns(path: Path) -> Columns:
    """Reads the columns of a `.csv` or `.parquet` file, by name. See `read_cells`; an empty cell becomes NaN."""
    return as_columns(read_cells(path))


def as_columns(cells: Mapping[str, Sequence[Any]]) -> Columns:
    """Cells, by the name of their column, as numbers, or as text."""
    return {name: _values(values) for name, values in cells.items()}


def read_cells(path: Path) -> dict[str, list[Any]]:
    """Reads the cells of a `.csv` file, as text, or of a `.parquet` file, by the name of their column.

    If the first line of a CSV file holds only numbers, the file has no header, and its columns are named x0, x1 and so
    on.

    Raises:
        UserError: if the file cannot be read, or the number of cells in a line differs from the header.
    """
    if path.suffix.lower() == ".parquet":
        try:
            from pyarrow import parquet  # type: ignore[import-not-found, unused-ignore]
        except ImportError as error:
            raise UserError(f"reading {path} needs pyarrow: pip install pyarrow, or save as .csv") from error
        try:
            table = parquet.read_table(path)
        except Exception as error:  # a damaged file can raise anything
            raise UserError(f"{path} cannot be read: it is cut short or not a parquet file") from error
        return {name: table[name].to_pylist() for name in table.column_names}
    try:
        text = path.read_text(encoding="utf-8-sig")
        delimiter = max(DELIMITERS, key=text.split("\n", 1)[0].count)
        lines = [line for line in csv.reader(text.splitlines(), delimiter=delimiter) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as CSV: {error}") from error
    require(len(lines) > 0, f"{path} holds no lines")
    header, rows = [name.strip() for name in lines[0]], lines[1:]
    if all(is_number(cell) for cell in header):
        header, rows = [f"x{i}" for i in range(len(header))], lines
    advice = "name it, or leave it out (pandas: to_csv(index=False))"
    require("" not in header, f"column {header.index('') + 1 if '' in header else 0} of {path} has no name: {advice}")
    twice = sorted({name for name in header if header.count(name) > 1})
    require(not twice, f"{path} has several columns called {', '.join(twice)}")
    for i, row in enumerate(rows):
        require(
            len(row) == len(header), f"row {i + 1} of {path} has {len(row)} cells, but the header has {len(header)}"
        )
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


def columns_of(frame: Any) -> Columns | None:
    """The columns of a data frame (pandas, polars or similar), by name; None for any other object."""
    if not (hasattr(frame, "columns") and hasattr(frame, "shape") and hasattr(frame, "__getitem__")):
        return None
    return {str(name): _values(np.asarray(frame[name]).tolist()) for name in frame.columns}


def features(columns: Columns, names: Sequence[str], where: str, to_learn: bool = False) -> Tensor:
    """These columns as x `(n, len(names))` in float64.

    Args:
        to_learn: whether these are training data; the message about a text column then suggests --label.

    Raises:
        UserError: if a column is missing, or holds text.
    """
    for name in names:
        require(name in columns, f"{where} has no column {name!r}: {nearest(name, columns)}")
        cells = columns[name]
        if cells.dtype.kind != "f":
            text = next((str(cell) for cell in cells if cell and not is_number(cell)), "")
            advice = (
                f"leave it out, or make it the label with --label {name}" if to_learn else "leave missing cells empty"
            )
            raise UserError(f"column {name!r} of {where} holds text, such as {text[:20]!r}: {advice}")
    require(len(names) > 0, f"{where} has no columns besides the label")
    return torch.from_numpy(np.stack([columns[name] for name in names], 1))


def write_columns(path: Path, names: Sequence[str], x: Tensor, label: Sequence[str] | None = None) -> None:
    """Writes rows x `(n, columns)` as CSV, with a last column `label` if labels are given."""
    header = [*names, "label"] if label is not None else list(names)
    rows: list[list[Any]] = [[repr(value) for value in row] for row in x.double().tolist()]
    if label is not None:
        rows = [[*row, name] for row, name in zip(rows, label, strict=True)]
    write_csv(path, [header, *rows])


def write_csv(path: Path, lines: Iterable[Sequence[Any]]) -> None:
    """Writes lines of cells as CSV."""
    try:
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def _values(cells: Sequence[Any]) -> NDArray[Any]:
    """The cells as float64, with NaN for empty cells; as text if any cell is not a number."""
    try:
        return np.array([np.nan if cell in ("", None) else float(cell) for cell in cells], dtype=np.float64)
    except (TypeError, ValueError):
        return np.array([str(cell) for cell in cells])
