"""`ebm score RUN PATH`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import tyro

from energybased.data.examples import examples
from energybased.errors import UserError, require
from energybased.latent import LatentModel
from energybased.runs.model import load


def score(
    path: tyro.conf.Positional[Path],
    what: tyro.conf.Positional[Path],
    /,
    out: Path | None = None,
    seed: int = 0,
) -> int:
    """Anomaly scores as CSV, one line an example: high means strange.

    Energies up to a constant, in nats: to be compared among the scores of one model. For a latent model, averaged over
    samples of the posterior: the joint energy, or that without the prior's base if its recipe says so.

    Args:
        path: a run, or an exported model.
        what: a picture, a folder of pictures, or an .npy or .npz file of x `(n, *event)` in [0, 1].
        out: a .csv file; printed if not given.
        seed: of the chains on a latent model's posterior.
    """
    require(0 <= seed < 2**62, f"seed must be in 0 ... 2^62, got {seed}")
    model = load(path)
    names, x, notes = examples(what, model.event)
    for note in notes:
        print(note, file=sys.stderr)
    scores = model.score(x, seed) if isinstance(model, LatentModel) else model.score(x)
    lines = [("name", "score"), *((name, f"{value:.6g}") for name, value in zip(names, scores.tolist(), strict=True))]
    if out is None:
        csv.writer(sys.stdout, lineterminator="\n").writerows(lines)
        return 0
    try:
        with out.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}") from error
    print(out)
    return 0


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(score, args=arguments, prog="ebm score")
