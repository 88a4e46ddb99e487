"""Pictures mapped to another class."""

from __future__ import annotations

from energybased.cli.drawn import write_drawn
from energybased.cli.job import Job
from energybased.cli.notes import tell
from energybased.data.examples import examples
from energybased.errors import require
from energybased.processes import is_first
from energybased.tasks.across import across


def map_pictures(job: Job, to: str, tether: float) -> None:
    """Maps pictures to a class, and writes them and a sheet of their ways.

    Args:
        job: the pictures, and what maps them.
        to: number or label of the class.
        tether: standard deviation of the Gaussian penalty around the picture; 0 for none. See `tasks.across`.

    Raises:
        UserError: if the model has no such class, or the pictures do not fit it.
    """
    model = job.model
    require(model.classes > 0, "--to needs a run with classes: an energy that is conditional on labels")
    number = model.conditions[0].number(to)
    _, x, notes = examples(job.what, model.spec)
    found = across(model, x, number, tether=tether or None, steps=job.steps, film=True, generator=job.generator)
    if not is_first():
        return
    tell(notes)
    assert found.film is not None
    paths = write_drawn(job.out, found.x.cpu(), found.film.cpu(), "film", {"x": found.x, "film": found.film})
    print(*paths, sep="\n")
