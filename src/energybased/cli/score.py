"""`ebm score RUN PATH`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tyro

from energybased.cli.given import with_given
from energybased.cli.notes import tell, terms_note
from energybased.cli.place import HERE, PlaceOptions
from energybased.cli.seed import generator_of
from energybased.cli.table import require_csv, tell_csv
from energybased.data.examples import examples
from energybased.processes import is_first


def score(
    path: tyro.conf.Positional[Path],
    what: tyro.conf.Positional[Path],
    /,
    out: Path | None = None,
    seed: int = 0,
    given: str | None = None,
    place: PlaceOptions = HERE,
) -> int:
    """Writes anomaly scores as CSV, with one line per example. High means out of distribution.

    The recipe chooses the score (score_by). An energy gives itself, in nats up to a constant, unless its recipe chooses
    another score of `models.scores`. A latent model gives the joint energy or, by the choice ratio, the joint energy
    without the base of the prior, averaged over posterior samples.

    Args:
        path: a run, an exported model, or the name of one that comes with this package.
        what: a table with the columns of the training data, a picture, a folder of pictures, or an .npy or .npz file.
        out: a .csv file; scores are printed if not given.
        seed: seed of the chains on the posterior of a latent model, and of noise.
        given: condition of a conditional model, as in `ebm sample`. Without it, scores sum over the classes. With
            it, a score that was fitted to training examples is the energy.
        place: device and processes that compute.
    """
    rng = generator_of(seed)
    require_csv(out, what)
    model = place.load(path)
    names, x, notes = examples(what, model.spec)
    model = with_given(model, given, len(x), what)
    if is_first():
        tell((*notes, *terms_note(model, path)))
    scores = model.score(x, generator=rng)
    if not is_first():
        return 0
    lines = [("name", "score"), *((name, f"{value:.6g}") for name, value in zip(names, scores.tolist(), strict=True))]
    tell_csv(lines, out)
    return 0


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(score, args=arguments, prog="ebm score")
