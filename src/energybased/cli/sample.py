"""`ebm sample RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from energybased.data.pictures import grid, save_png, sheet
from energybased.errors import UserError, require
from energybased.latent import LatentModel
from energybased.runs.film import film
from energybased.runs.model import load


def sample(
    path: tyro.conf.Positional[Path],
    /,
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64,
    steps: int | None = None,
    seed: int = 0,
    out: Path | None = None,
    label: int | None = None,
) -> int:
    """Draws samples by fresh chains; pictures come with a film strip of a few chains beside them.

    A conditional model draws its classes in turn: a grid has a class a row, and is filled to whole columns. The film
    of a latent model has a frame for its base, and one for the prior after each stage.

    Args:
        path: a run, or an exported model.
        n: how many.
        steps: transitions of each chain; the recipe's length if not given.
        seed: of the chains.
        out: a .png or .npz file; samples.png beside the run if not given.
        label: draw this class alone, of a conditional model.
    """
    require(n >= 1, f"n must be at least 1, got {n}")
    require(0 <= seed < 2**62, f"seed must be in 0 ... 2^62, got {seed}")
    require(steps is None or steps >= 1, f"steps must be at least 1, got {steps}")
    out = (path if path.is_dir() else path.parent) / "samples.png" if out is None else out
    require(out.suffix in (".png", ".npz"), f"{out} must end in .png or .npz")
    model = load(path)
    classes, labels = 0, None
    if isinstance(model, LatentModel):
        require(label is None, "a latent model has no classes")
        require(steps is None, "how a latent model's prior is sampled belongs to the model: it takes no steps")
        x = model.sample(n, seed)
    else:
        classes, labels = model.classes, np.arange(n) % model.classes if model.classes else None
        if label is not None:
            model, classes, labels = model.given(label), 0, np.full(n, label)
        if out.suffix == ".png" and classes:
            n = -(-n // classes) * classes
        x = model.sample(n, steps, seed)
    if out.suffix == ".npz":
        arrays: dict[str, Any] = {"x": x.numpy()} | ({} if labels is None else {"y": labels})
        try:
            np.savez_compressed(out, **arrays)
        except OSError as error:
            raise UserError(f"cannot write {out}: {error.strerror}") from error
        print(out)
        return 0
    require(
        x.ndim == 4 and x.shape[1] in (1, 3),
        f"samples of shape {tuple(x.shape[1:])} are no pictures: write them with --out FILE.npz",
    )
    save_png(sheet(x, classes), out)
    strip = film(model, seed=seed)
    film_file = out.with_name(f"{out.stem}-film.png")
    save_png(grid(strip.flatten(0, 1), columns=strip.shape[1]), film_file)
    print(out, film_file, sep="\n")
    return 0


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(sample, args=arguments, prog="ebm sample")
