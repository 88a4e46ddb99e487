"""Measured rows on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Prints name, value and protocol of every row."""
    table = Table("row", "value", "protocol", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row["what"], f"{row['value']:.3f}", row["protocol"])
    Console().print(table)
