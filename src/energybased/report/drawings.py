"""Drawings of groups of examples, by the view of their domain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor

from energybased.data.domain import View
from energybased.data.pictures import sheet
from energybased.report.charts import bands, clouds, histograms
from energybased.report.page import note, picture

MAX_COLUMNS = 12  # most columns of a table that are drawn

Groups = Mapping[str, Tensor]
Drawing = Callable[[Groups, int, Sequence[str]], Iterator[str]]


def pictures(groups: Groups, classes: int, columns: Sequence[str]) -> Iterator[str]:
    """Sheets of pictures `(n, channels, height, width)` side by side, with one row per class."""
    figures = "".join(picture(sheet(x, classes), caption) for caption, x in groups.items())
    yield f'<div class="pair">{figures}</div>'


def points(groups: Groups, classes: int, columns: Sequence[str]) -> Iterator[str]:
    """Histograms of points `(n, 2)` in the plane, over common axes."""
    yield clouds({name: x.float() for name, x in groups.items()})


def lines(groups: Groups, classes: int, columns: Sequence[str]) -> Iterator[str]:
    """Curves `(n, time, channels)`, over common axes."""
    yield bands({name: x.float() for name, x in groups.items()})


def rows(groups: Groups, classes: int, columns: Sequence[str]) -> Iterator[str]:
    """A histogram of each column of examples `(n, *event)`, flattened."""
    flat = {name: x.flatten(1) for name, x in groups.items()}
    width = next(iter(flat.values())).shape[1]
    for i in range(min(width, MAX_COLUMNS)):
        yield histograms({name: x[:, i] for name, x in flat.items()}, columns[i] if columns else f"column {i}")
    if width > MAX_COLUMNS:
        yield note(f"The first {MAX_COLUMNS} of {width} columns.")


DRAWINGS: Mapping[View, Drawing] = {"pictures": pictures, "points": points, "curves": lines, "rows": rows}
