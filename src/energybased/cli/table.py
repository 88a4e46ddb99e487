"""Tables of results on the terminal."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from energybased.data.columns import write_csv
from energybased.errors import require
from energybased.evaluation import Row
from energybased.evaluation.summary import narrow, summary


def show(rows: Sequence[Row], system: str) -> None:
    """Prints values in a few tables, those of the model `system` first."""
    console = Console()
    tables = (part for whole in summary(rows, system) for part in narrow(whole, console.width))
    for title, head, lines in tables:
        table = Table(title, *head[1:], box=None, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for line in lines:
            table.add_row(*line)
        console.print(table, "")


def show_all(rows: Sequence[Row]) -> None:
    """Prints the metric, system, value and protocol of each row."""
    table = Table("metric", "system", "value", "protocol", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row.metric, row.system, row.text, row.protocol)
    Console().print(table)


def require_csv(out: Path | None, *inputs: Path) -> None:
    """Raises `UserError` unless the path ends as a table, in a folder that exists, and is none of the inputs' paths.

    None, for no file, passes.
    """
    require(out is None or out.suffix == ".csv", f"{out} must end in .csv")
    require(out is None or out.parent.is_dir(), f"there is no folder {out and out.parent} to write {out} into")
    require(
        out is None or out.resolve() not in [path.resolve() for path in inputs],
        f"--out would overwrite {out}, which is read",
    )


def tell_csv(lines: Sequence[Sequence[str]], out: Path | None) -> None:
    """Writes lines of cells into a .csv file and prints its path, or prints the lines if there is no file."""
    if out is None:
        csv.writer(sys.stdout, lineterminator="\n").writerows(lines)
    else:
        write_csv(out, lines)
        print(out)
