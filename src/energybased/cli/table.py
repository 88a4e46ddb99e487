"""Tables of results on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from energybased.evaluation import Row


def show(rows: Sequence[Row]) -> None:
    """Prints the metric, system, value and protocol of each row."""
    table = Table("metric", "system", "value", "protocol", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row.metric, row.system, row.text, row.protocol)
    Console().print(table)
