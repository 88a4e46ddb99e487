"""`ebm sample RUN`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from torch import Tensor

from energybased.cli.given import check_given, read_given
from energybased.cli.place import HERE, PlaceOptions
from energybased.cli.seed import generator_of
from energybased.conditions import Classes
from energybased.data.columns import write_columns
from energybased.data.files import write_arrays
from energybased.data.pictures import grid, save_png, sheet
from energybased.errors import require
from energybased.models import Model
from energybased.models.energy import FILM_CHAINS
from energybased.models.noise_conditional import NoiseConditionalModel
from energybased.processes import is_first


def sample(
    path: tyro.conf.Positional[Path],
    /,
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64,
    steps: int | None = None,
    seed: int = 0,
    out: Path | None = None,
    given: str | None = None,
    guidance: float | None = None,
    place: PlaceOptions = HERE,
) -> int:
    """Draws samples from a model, and writes them as a picture, a table or arrays.

    A second picture shows a few chains from start to sample. A model conditional on a class cycles through the classes.
    Its picture has one row per class, and n is rounded up to full columns.

    Args:
        path: a run, an exported model, or the name of one that comes with this package.
        n: number of samples.
        steps: transitions of each chain, or number of levels of noise of a model that has several; the recipe's if not
            given.
        seed: seed of all random numbers.
        out: a .png, .npz or .csv file. The default is samples.png for pictures, and samples.csv for other data, in the
            folder of the run.
        given: condition of a conditional model: a class, numbers such as 0.5,1.0, or a .npy, .npz, .csv or .parquet
            file with one row per sample.
        guidance: weight of guidance by class, of a model over levels of noise: 1 for none, larger for samples that are
            more typical of their class, 0 for samples without a class. The recipe's if not given.
        place: device and processes that compute.
    """
    require(n >= 1, f"n must be at least 1, got {n}")
    rng = generator_of(seed)
    require(steps is None or steps >= 1, f"steps must be at least 1, got {steps}")
    model = place.load(path)
    model = model if guidance is None else guided(model, guidance)
    view, folder = model.spec.domain.view(model.spec.event), path if path.is_dir() else path.parent
    out = folder / f"samples{'.png' if view == 'pictures' else '.csv'}" if out is None else out
    require(out.suffix in (".png", ".npz", ".csv"), f"{out} must end in .png, .npz or .csv")
    require(out.parent.is_dir(), f"there is no folder {out.parent} to write {out.name} into")
    classes, labels, filmed = (0 if guidance == 0 else model.classes), None, model
    if given is not None:
        parts, n = read_given(given, model, n)
        filmed = model.given(*(part[torch.arange(FILM_CHAINS) % n] for part in parts))
        model, labels, classes = model.given(*parts), class_numbers(parts, n), 0
    check_given(model)
    if classes:
        n = -(-n // classes) * classes if out.suffix == ".png" else n
        labels = torch.arange(n) % classes
    require(
        steps is None or "chains" in model.offers, "this model is not sampled by chains over data: it takes no steps"
    )
    options = {} if steps is None else {"steps": steps}
    x = model.sample(n, generator=rng, **options).cpu()
    if not is_first():
        return 0
    if out.suffix == ".png":
        return _pictures(filmed, x, classes, seed, out, view == "pictures")
    names = labels_of(model, labels)
    if out.suffix == ".csv":
        columns = getattr(model.spec.domain, "columns", ()) or [f"x{i}" for i in range(x[0].numel())]
        write_columns(out, columns, x.flatten(1), names)
    else:
        arrays: dict[str, Any] = {"x": x.numpy()} | ({} if names is None else {"y": np.array(names)})
        write_arrays(out, arrays)
    print(out)
    return 0


def guided(model: Model, weight: float) -> Model:
    """The model with another weight of guidance.

    Raises:
        UserError: if it has no guidance, or the weight is not finite.
    """
    require(
        isinstance(model, NoiseConditionalModel) and model.classes > 0,
        "guidance is of models over levels of noise that are conditional on a class",
    )
    require(math.isfinite(weight), f"guidance must be a finite number, got {weight}")
    found: Model = replace(model, guidance=weight)  # type: ignore[type-var]
    return found


def _pictures(filmed: Model, x: Tensor, classes: int, seed: int, out: Path, pictures: bool) -> int:
    shape = tuple(x.shape[1:])
    require(pictures, f"samples of shape {shape} are not pictures: write them with --out FILE.csv or FILE.npz")
    save_png(sheet(x, classes), out)
    strip = filmed.film(generator=generator_of(seed)).cpu()
    film_file = out.with_name(f"{out.stem}-film.png")
    save_png(grid(strip.flatten(0, 1), columns=strip.shape[1]), film_file)
    print(out, film_file, sep="\n")
    return 0


def class_numbers(parts: Sequence[Any], n: int) -> Tensor | None:
    """The class number of each sample; None if the condition is not a single class."""
    if len(parts) != 1 or not isinstance(parts[0], Tensor) or parts[0].is_floating_point():
        return None
    return parts[0].expand(n)


def labels_of(model: Model, numbers: Tensor | None) -> list[Any] | None:
    """The user's labels of class numbers."""
    if numbers is None:
        return None
    kinds = [kind for kind in model.spec.conditions if isinstance(kind, Classes)]
    names = kinds[0].names if kinds else ()
    return [names[i] if names else i for i in numbers.tolist()]


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(sample, args=arguments, prog="ebm sample")
