"""Empty cells of tables, filled by a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from energybased.cli.given import with_given
from energybased.cli.job import Job
from energybased.cli.notes import tell, terms_note
from energybased.cli.table import tell_csv
from energybased.data.columns import as_columns, features, read_cells
from energybased.errors import require
from energybased.models.degradation import Missing
from energybased.processes import is_first
from energybased.tasks.restore import restore


def fill_cells(job: Job, candidates: int) -> None:
    """Writes a table, with its header, in which empty cells are filled.

    A row gets the candidate of least energy; with one candidate, a sample of the conditional density. If the model is
    conditional on a class, and the table has its column, a row is filled given its class, and a row whose class is
    empty, or missing from the table, by the sum over the classes. Rows without empty cells, and columns that the model
    does not know, stay as they are.

    Raises:
        UserError: if the table does not fit the model, or has no empty cells, or a row has no other.
    """
    path, model = job.what, job.model
    cells = read_cells(path)
    event, columns = tuple(model.spec.event), as_columns(cells)
    require(len(event) == 1, f"{path} is a table, but the examples of the model are of shape {event}")
    names = getattr(model.spec.domain, "columns", ()) or tuple(columns)
    x = features(columns, names, str(path))
    require(event == (len(names),), f"the model takes examples of shape {event}, not rows of {len(names)} numbers")
    empty = x.isnan()
    require(bool(empty.any()), f"{path} has no empty cells in {', '.join(names[:10])}: there is nothing to fill")
    blank = empty.all(1).nonzero().flatten().tolist()
    require(not blank, f"row {blank[0] + 1 if blank else 0} of {path} is empty: there is nothing to fill it from")
    holes, done, label = empty.any(1), x.clone(), label_of(model)
    y = known_classes(model, cells[label]) if label in cells and job.given is None else None
    for rows in [holes] if y is None else [holes & (y >= 0), holes & (y < 0)]:
        if not bool(rows.any()):
            continue
        classes = None if y is None or bool((y[rows] < 0).any()) else y[rows]
        given = with_given(model, job.given, len(x), path, rows) if classes is None else model.given(classes)
        degradation = Missing(empty[rows])
        found = restore(given, x[rows], degradation, candidates=candidates, steps=job.steps, generator=job.generator)
        done[rows] = torch.where(empty[rows], found.best.to(x), x[rows])
    if not is_first():
        return
    for i, name in enumerate(names):
        filled = zip(cells[name], done[:, i].tolist(), empty[:, i].tolist(), strict=True)
        cells[name] = [repr(value) if hole else cell for cell, value, hole in filled]
    notes = [*terms_note(model, job.run), f"{int(empty.sum())} empty cells of {int(holes.sum())} rows were filled"]
    noise = getattr(model, "noise", 0.0)
    smoothed = f"the model knows columns with noise of {noise:g} standard deviations: values that follow closely from"
    notes += [f"{smoothed} others are filled with more spread"] if noise else []
    used = y is not None and bool((y[holes] >= 0).any())
    notes += [f"rows were filled given their class, of column {label}"] if used else []
    overridden = bool(label) and label in cells and job.given is not None
    notes += [f"--given holds for all rows, and column {label} is kept as it is"] if overridden else []
    known = names if not (used or overridden) else (*names, label)
    kept = [name for name in cells if name not in known]
    notes += [f"columns that the model does not take are kept: {', '.join(kept)}"] if kept else []
    tell(notes)
    tell_csv([list(cells), *zip(*(map(_cell, column) for column in cells.values()), strict=True)], job.out)


def label_of(model: Any) -> str:
    """The name of the column that held the labels of the training data; empty if there was none."""
    return str((model.origin.settings.get("label") if model.origin else None) or "") if model.classes else ""


def known_classes(model: Any, cells: Sequence[Any]) -> Tensor:
    """The class numbers `(n,)` of the cells of a label column, -1 for an empty cell.

    Raises:
        UserError: if a cell is no class of the model.
    """
    (kind,) = model.conditions
    values = as_columns({"label": cells})["label"].tolist()
    texts = ["" if v != v or v is None else f"{v:g}" if isinstance(v, float) else str(v) for v in values]
    return torch.tensor([kind.number(text) if text else -1 for text in texts])


def _cell(value: Any) -> Any:
    """A cell as CSV: empty for a missing number."""
    return "" if value != value else value
