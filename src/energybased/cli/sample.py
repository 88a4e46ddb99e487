"""`ebm sample RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from torch import Tensor

from energybased.cli.given import check_given, read_given
from energybased.conditions import Classes
from energybased.data.columns import write_columns
from energybased.data.pictures import grid, save_png, sheet
from energybased.errors import UserError, require
from energybased.models import Model
from energybased.runs.load import load


def sample(
    path: tyro.conf.Positional[Path],
    /,
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64,
    steps: int | None = None,
    seed: int = 0,
    out: Path | None = None,
    given: str | None = None,
    device: str = "cpu",
) -> int:
    """Draws samples: pictures with a film strip of a few chains beside them, rows of a table, or arrays.

    A model conditional on a class draws its classes in turn: a sheet has a class a row, and is filled to whole columns.

    Args:
        path: a run, or an exported model.
        n: how many.
        steps: transitions of each chain; the recipe's length if not given.
        seed: of everything random.
        out: a .png, .npz or .csv file; samples.png, or samples.csv for rows, beside the run if not given.
        given: the condition of a conditional model: a class, numbers such as 0.5,1.0, or a .npy, .npz or .csv file with
            a row for each sample.
        device: where it is computed, such as cpu or cuda.
    """
    require(n >= 1, f"n must be at least 1, got {n}")
    require(0 <= seed < 2**62, f"seed must be in 0 ... 2^62, got {seed}")
    require(steps is None or steps >= 1, f"steps must be at least 1, got {steps}")
    model: Any = load(path, device=device)
    view, folder = model.spec.domain.view(model.spec.event), path if path.is_dir() else path.parent
    out = folder / f"samples{'.png' if view == 'pictures' else '.csv'}" if out is None else out
    require(out.suffix in (".png", ".npz", ".csv"), f"{out} must end in .png, .npz or .csv")
    classes, labels = model.classes, None
    if given is not None:
        parts, n = read_given(given, model, n)
        model, labels, classes = model.given(*parts), class_numbers(parts, n), 0
    check_given(model)
    if classes:
        n = -(-n // classes) * classes if out.suffix == ".png" else n
        labels = torch.arange(n) % classes
    require(
        steps is None or "chains" in model.offers, "this model is not sampled by chains over data: it takes no steps"
    )
    some = {} if steps is None else {"steps": steps}
    x = model.sample(n, generator=torch.Generator().manual_seed(seed), **some).cpu()
    if out.suffix == ".png":
        return _pictures(model, x, classes, seed, out, view == "pictures")
    names = labels_of(model, labels)
    if out.suffix == ".csv":
        columns = getattr(model.spec.domain, "columns", ()) or [f"x{i}" for i in range(x[0].numel())]
        write_columns(out, columns, x.flatten(1), names)
    else:
        arrays: dict[str, Any] = {"x": x.numpy()} | ({} if names is None else {"y": np.array(names)})
        try:
            np.savez_compressed(out, **arrays)
        except OSError as error:
            raise UserError(f"cannot write {out}: {error.strerror}") from error
    print(out)
    return 0


def _pictures(model: Model, x: Tensor, classes: int, seed: int, out: Path, pictures: bool) -> int:
    shape = tuple(x.shape[1:])
    require(pictures, f"samples of shape {shape} are no pictures: write them with --out FILE.csv or FILE.npz")
    save_png(sheet(x, classes), out)
    strip = model.film(generator=torch.Generator().manual_seed(seed)).cpu()
    film_file = out.with_name(f"{out.stem}-film.png")
    save_png(grid(strip.flatten(0, 1), columns=strip.shape[1]), film_file)
    print(out, film_file, sep="\n")
    return 0


def class_numbers(parts: Sequence[Any], n: int) -> Tensor | None:
    """The class of each sample, if a class is the one condition."""
    if len(parts) != 1 or not isinstance(parts[0], Tensor) or parts[0].is_floating_point():
        return None
    return parts[0].expand(n)


def labels_of(model: Model, numbers: Tensor | None) -> list[Any] | None:
    """The user's own labels of class numbers."""
    if numbers is None:
        return None
    kinds = [kind for kind in model.spec.conditions if isinstance(kind, Classes)]
    names = kinds[0].names if kinds else ()
    return [names[i] if names else i for i in numbers.tolist()]


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(sample, args=arguments, prog="ebm sample")
