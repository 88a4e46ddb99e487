"""Files of drawn pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from energybased.data.files import write_arrays
from energybased.data.pictures import grid, save_png


def write_drawn(out: Path, best: Tensor, rows: Tensor, name: str, arrays: Mapping[str, Tensor]) -> list[Path]:
    """Writes pictures and a sheet of them, or arrays if `out` ends in .npz. Returns the paths.

    Args:
        out: path of the pictures; the name of the sheet's file is `name` behind it.
        best: the pictures, `(n, *event)`.
        rows: rows of the sheet, `(n, columns, *event)`.
        name: what the sheet shows.
        arrays: what is written instead into a .npz file, by name.
    """
    if out.suffix == ".npz":
        write_arrays(out, {key: value.cpu().numpy() for key, value in arrays.items()})
        return [out]
    sheet = sheet_of(out, name)
    save_png(grid(best), out)
    save_png(grid(rows.flatten(0, 1), columns=rows.shape[1]), sheet)
    return [out, sheet]


def sheet_of(out: Path, name: str) -> Path:
    """The path of the sheet beside pictures, which shows what the name says."""
    return out.with_name(f"{out.stem}-{name}.png")
