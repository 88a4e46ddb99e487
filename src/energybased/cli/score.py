"""`ebm score RUN PATH`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import tyro

from energybased.cli.given import check_given, read_given
from energybased.cli.table import tell_csv
from energybased.cli.weighed import unweighed
from energybased.data.examples import examples
from energybased.errors import require
from energybased.processes import is_first
from energybased.runs.load import load


def score(
    path: tyro.conf.Positional[Path],
    what: tyro.conf.Positional[Path],
    /,
    out: Path | None = None,
    seed: int = 0,
    given: str | None = None,
    device: str = "cpu",
    devices: int = 1,
    nodes: int = 1,
) -> int:
    """Writes anomaly scores as CSV, with one line per example. High means out of distribution.

    The recipe chooses the score (score_by). An energy gives itself, in nats up to a constant, unless its recipe chooses
    another score of `models.scores`. A latent model gives the joint energy or, by the choice ratio, the joint energy
    without the base of the prior, averaged over posterior samples.

    Args:
        path: a run, or an exported model.
        what: a table with the columns of the training data, a picture, a folder of pictures, or an .npy or .npz file.
        out: a .csv file; scores are printed if not given.
        seed: seed of the chains on the posterior of a latent model, and of noise.
        given: condition of a conditional model, as in `ebm sample`. Without it, scores sum over the classes.
        device: device that computes, such as cpu or cuda.
        devices: number of processes on each machine, each with a GPU or a share of the processor.
        nodes: number of machines.
    """
    require(0 <= seed < 2**62, f"seed must be in 0 ... 2^62, got {seed}")
    model: Any = load(path, device=device, devices=devices, nodes=nodes)
    names, x, notes = examples(what, model.spec)
    if given is not None:
        parts, n = read_given(given, model, len(x))
        require(n == len(x), f"--given has {n} conditions, but {what} has {len(x)} examples")
        model = model.given(*parts)
    check_given(model)
    for note in (*notes, *unweighed(model, path)) if is_first() else ():
        print(note, file=sys.stderr)
    scores = model.score(x, generator=torch.Generator().manual_seed(seed))
    if not is_first():
        return 0
    lines = [("name", "score"), *((name, f"{value:.6g}") for name, value in zip(names, scores.tolist(), strict=True))]
    tell_csv(lines, out)
    return 0


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(score, args=arguments, prog="ebm score")
