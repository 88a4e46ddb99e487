"""Empty cells of tables, filled by a model."""

from __future__ import annotations

from typing import Any

import torch

from energybased.cli.given import with_given
from energybased.cli.job import Job
from energybased.cli.notes import tell, terms_note
from energybased.cli.table import tell_csv
from energybased.data.columns import as_columns, features, read_cells
from energybased.errors import require
from energybased.models.damage import Missing
from energybased.processes import is_first
from energybased.tasks.restore import restore


def fill_cells(job: Job, candidates: int) -> None:
    """Writes a table, with its header, in which empty cells are filled.

    A row gets the candidate of least energy; with one candidate, a sample of the conditional density. Rows without
    empty cells, and columns that the model does not know, stay as they are.

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
    rows = empty.any(1)
    model = with_given(model, job.given, len(x), path, rows)
    damage = Missing(empty[rows])
    found = restore(model, x[rows], damage, candidates=candidates, steps=job.steps, generator=job.generator)
    if not is_first():
        return
    done = x.clone()
    done[rows] = torch.where(empty[rows], found.best.to(x), x[rows])
    for i, name in enumerate(names):
        filled = zip(cells[name], done[:, i].tolist(), empty[:, i].tolist(), strict=True)
        cells[name] = [repr(value) if hole else cell for cell, value, hole in filled]
    notes = [*terms_note(model, job.run), f"{int(empty.sum())} empty cells of {int(rows.sum())} rows were filled"]
    kept = [name for name in cells if name not in names]
    notes += [f"columns that the model does not take are kept: {', '.join(kept)}"] if kept else []
    tell(notes)
    tell_csv([list(cells), *zip(*(map(_cell, column) for column in cells.values()), strict=True)], job.out)


def _cell(value: Any) -> Any:
    """A cell as CSV: empty for a missing number."""
    return "" if value != value else value
