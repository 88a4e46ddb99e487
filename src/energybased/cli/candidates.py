"""Candidates of degraded pictures, with their energies as CSV."""

from __future__ import annotations

import torch

from energybased.cli.degradation import DegradationOptions
from energybased.cli.drawn import write_drawn
from energybased.cli.given import with_given
from energybased.cli.job import Job
from energybased.cli.notes import tell, terms_note
from energybased.cli.table import tell_csv
from energybased.data.examples import examples
from energybased.models.blur import Linear, LowResolution
from energybased.models.degradation import Missing
from energybased.processes import is_first
from energybased.tasks.restore import restore


def draw_candidates(job: Job, degradation: DegradationOptions, count: int) -> None:
    """Draws candidates of degraded pictures, prints their energies, and writes the best ones and a sheet of all.

    Args:
        job: the pictures, and what restores them.
        degradation: what was done to them, or is to be done first.
        count: number of candidates of each picture.

    Raises:
        UserError: if the options exclude each other, or do not fit the pictures or the model.
    """
    spec, whole, rng = job.model.spec, degradation.degrade, job.generator
    kind, notes = degradation.read(job.what, spec.event)
    small = kind.small(spec.event) if isinstance(kind, LowResolution) and not whole else None
    names, x, more = examples(job.what, spec, small)
    scaled = any("scaled" in note for note in more) and not whole and not isinstance(kind, Missing)
    notes += ("noise and blur are taken to be those after scaling, which changes both",) * scaled
    y = kind.apply(x, rng) if whole else x
    model = with_given(job.model, job.given, len(x), job.what)
    found = restore(model, y, kind, candidates=count, steps=job.steps, generator=rng)
    if not is_first():
        return
    tell((*more, *notes, *terms_note(model, job.run)))
    energies = zip(names, found.energies.tolist(), strict=True)
    lines = [["name", *(f"energy{i}" for i in range(count))]]
    tell_csv([*lines, *([name, *(f"{value:.6g}" for value in row)] for name, row in energies)], None)
    shown = kind.upright(y) if isinstance(kind, Linear) else kind.apply(y, rng) if isinstance(kind, Missing) else y
    drawn = found.x.cpu().to(y)
    rows = torch.cat([*([x[:, None]] if whole else []), shown.clamp(0, 1)[:, None], drawn], 1)
    paths = write_drawn(job.out, drawn[:, 0], rows, "candidates", {"x": found.x, "energy": found.energies})
    tell(map(str, paths))  # not among the lines of the CSV
