"""`ebm classify RUN PATHS`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import tyro

from energybased.cli.notes import tell, terms_note
from energybased.cli.seed import generator_of
from energybased.cli.table import require_csv, tell_csv
from energybased.data.examples import examples
from energybased.errors import require
from energybased.runs.load import load
from energybased.tasks.classify import Refinement, labels, probabilities


def classify(
    path: tyro.conf.Positional[Path],
    what: tyro.conf.Positional[tuple[Path, ...]],
    /,
    out: Path | None = None,
    steps: int = 0,
    under: Literal["marginal", "class"] = "marginal",
    copies: int = 1,
    noise: bool = False,
    radius: float | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> int:
    """Writes the most probable class and its probability as CSV, with one line per example.

    The class is that of the lowest energy, less the term that was fitted to its class when training ended. Its
    probability is the softmax of these energies with their sign changed.

    Args:
        path: a run, an exported model, or the name of one that comes with this package: a model that is conditional on
            the class, or a judge.
        what: tables, pictures, folders of pictures, and .npy or .npz files.
        out: a .csv file; the lines are printed if not given.
        steps: transitions of the sampler that move an example before it is classified.
        under: whether these transitions follow one chain, summed over the classes, or a chain under each class.
        copies: number of copies of an example, with their own chains and noise, whose probabilities are averaged.
        noise: add the noise of training to each copy.
        radius: largest change of an entry by the transitions, in the model's units; no limit if not given. With
            --under class, one must be given.
        seed: seed of noise and chains.
        device: device that computes, such as cpu or cuda.
    """
    rng = generator_of(seed)
    require(len(what) > 0, "there is nothing to classify: name pictures, folders, tables or arrays")
    averaged = steps > 0 or noise or copies <= 1
    require(averaged, f"{copies} copies without steps or noise are all the same: give --steps or --noise")
    require(radius is None or steps > 0, "--radius limits transitions: give --steps")
    require(under == "marginal" or steps > 0, "--under class is about transitions: give --steps")
    refinement = Refinement(steps, under, copies, noise, radius)
    require_csv(out, *what)
    model: Any = load(path, device=device)
    names = labels(model)
    tell(terms_note(model, path))
    lines: list[tuple[str, str, str]] = [("name", "class", "probability")]
    for source in what:
        rows, x, notes = examples(source, model.spec)
        tell(notes)
        best = probabilities(model, x, refinement, rng).max(1)
        where = "" if len(what) == 1 else f"{source.parent}/" if rows == [source.name] else f"{source}/"
        found = zip(rows, best.indices.tolist(), best.values.tolist(), strict=True)
        lines += [(f"{where}{row}", names[label], f"{value:.6g}") for row, label, value in found]
    tell_csv(lines, out)
    return 0


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(classify, args=arguments, prog="ebm classify")
