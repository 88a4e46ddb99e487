"""`ebm restore RUN PATH`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor

from energybased.cli.damage import read_damage, read_mask
from energybased.cli.given import with_given
from energybased.cli.holes import filled
from energybased.cli.notes import tell, terms_note
from energybased.cli.place import HERE, PlaceOptions
from energybased.cli.seed import generator_of
from energybased.data.columns import SUFFIXES as TABLES
from energybased.data.columns import write_csv
from energybased.data.examples import examples
from energybased.data.files import write_arrays
from energybased.data.pictures import grid, save_png
from energybased.errors import require
from energybased.models.blur import Linear, LowResolution
from energybased.models.damage import Damage, Missing
from energybased.processes import is_first
from energybased.tasks.across import TETHER, across
from energybased.tasks.restore import restore as candidates_of

KINDS = "--mask FILE, --noise salt-pepper=SHARE or gaussian=SIGMA, --blur WIDTH, --scale FACTOR, or --to CLASS"


def restore(
    path: tyro.conf.Positional[Path],
    what: tyro.conf.Positional[Path],
    /,
    mask: Path | None = None,
    noise: str | None = None,
    blur: float | None = None,
    scale: int | None = None,
    to: str | None = None,
    tether: float = TETHER,
    damage: bool = False,
    candidates: int = 8,
    steps: int | None = None,
    seed: int = 0,
    out: Path | None = None,
    given: str | None = None,
    place: PlaceOptions = HERE,
) -> int:
    """Restores damaged pictures, maps pictures to another class, or fills the empty cells of a table.

    Of each picture, several candidates are drawn, and their energies printed, in nats; a low energy means that the
    model finds a candidate probable. One picture shows the best candidates, a second one all of them beside the damaged
    ones. With --to, the second one shows the way from the picture to the other class.

    Args:
        path: a run, or an exported model.
        what: a picture, a folder of pictures, an .npy or .npz file, or a table (.csv, .parquet) with empty cells.
        mask: a picture of the same size: what is white in it is missing.
        noise: salt-pepper=0.1, if a tenth of the pixels were set to black or white; gaussian=0.2, if noise of this
            standard deviation was added to pixel values in [0, 1]. The latter also says how noisy a blurred or scaled
            picture is.
        blur: width of a Gaussian blur of the picture: its standard deviation in pixels.
        scale: how many pixels of the model a pixel of the picture is wide and high: 2 for a picture of half the size.
        to: class that the pictures become.
        tether: with --to, how far a pixel may go: the standard deviation of a Gaussian around the picture; 0 for none.
        damage: the picture is whole, and is first damaged so. To see what restoring can do.
        candidates: number of candidates.
        steps: transitions of each chain; the recipe's length, or more if the damage makes steps shorter, if not given.
        seed: seed of all random numbers.
        out: a .png, .npz or .csv file. The default is restored.png or restored.csv in the folder of the run.
        given: condition of a conditional model, as in `ebm sample`. Without it, chains sum over the classes.
        place: device and processes that compute.
    """
    rng = generator_of(seed)
    require(steps is None or steps >= 1, f"steps must be at least 1, got {steps}")
    require(candidates >= 1, f"candidates must be at least 1, got {candidates}")
    require(0 <= tether < math.inf, f"the tether is a standard deviation, or 0 for none, got {tether:g}")
    table = what.suffix in TABLES
    asked = [option is not None for option in (mask, noise, blur, scale, to)]
    require(not table or not any(asked), f"{what} is a table, of which empty cells are filled: give it without options")
    require(table or any(asked), f"say what was done to {what}: {KINDS}")
    model = place.load(path)
    folder = path if path.is_dir() else path.parent
    out = folder / f"restored.{'csv' if table else 'png'}" if out is None else out
    if table:
        require(out.suffix == ".csv", f"{out} must end in .csv")
        lines, notes = filled(what, model, path, given, candidates=candidates, steps=steps, generator=rng)
        if is_first():
            tell(notes)
            write_csv(out, lines)
            print(out)
        return 0
    require(out.suffix in (".png", ".npz"), f"{out} must end in .png or .npz")
    if to is not None:
        alone = sum(asked) == 1 and given is None and not damage
        require(alone, "--to takes a whole picture: leave out --mask, --noise, --blur, --scale, --damage and --given")
        return _across(model, what, to, tether, steps, rng, out)
    return _restored(
        model, path, what, read_damage(mask, noise, blur, scale), mask, damage, candidates, steps, rng, out, given
    )


def _restored(
    model: Any,
    path: Path,
    what: Path,
    kind: Damage | None,
    mask: Path | None,
    whole: bool,
    count: int,
    steps: int | None,
    rng: torch.Generator,
    out: Path,
    given: str | None,
) -> int:
    spec = model.spec
    small = isinstance(kind, LowResolution) and not whole
    names, x, notes = examples(what, spec, kind.small(spec.event) if small else None)  # type: ignore[union-attr]
    if kind is None:
        assert mask is not None
        kind, more = read_mask(mask, what, spec.event)
        notes = (*notes, *more)
    y = kind.apply(x, rng) if whole else x
    model = with_given(model, given, len(x), what)
    notes = (*notes, *terms_note(model, path))
    found = candidates_of(model, y, kind, candidates=count, steps=steps, generator=rng)
    if not is_first():
        return 0
    tell(notes)
    print("\n".join(["name " + " ".join(f"energy{i}" for i in range(count)), *_lines(names, found.energies)]))
    drawn = found.x.cpu().to(y)
    if out.suffix == ".npz":
        return _arrays(out, x=found.x.cpu().numpy(), energy=found.energies.cpu().numpy())
    shown = kind.upright(y) if isinstance(kind, Linear) else kind.apply(y, rng) if isinstance(kind, Missing) else y
    shown = shown.clamp(0, 1)
    rows = torch.cat([*([x[:, None]] if whole else []), shown[:, None], drawn], 1)
    return _pictures(out, drawn[:, 0], rows, "candidates")


def _across(model: Any, what: Path, to: str, tether: float, steps: int | None, rng: torch.Generator, out: Path) -> int:
    require(model.classes > 0, "--to needs a run with classes, which this one is not: it was trained without labels")
    number = model.conditions[0].number(to)
    _, x, notes = examples(what, model.spec)
    found = across(model, x, number, tether=tether or None, steps=steps, film=True, generator=rng)
    if not is_first():
        return 0
    tell(notes)
    assert found.film is not None
    if out.suffix == ".npz":
        return _arrays(out, x=found.x.cpu().numpy(), film=found.film.cpu().numpy())
    return _pictures(out, found.x.cpu(), found.film.cpu(), "film")


def _pictures(out: Path, best: Tensor, rows: Tensor, name: str) -> int:
    """Writes the best pictures `(n, *event)`, and a sheet of `(n, columns, *event)`."""
    sheet = out.with_name(f"{out.stem}-{name}.png")
    save_png(grid(best), out)
    save_png(grid(rows.flatten(0, 1), columns=rows.shape[1]), sheet)
    print(out, sheet, sep="\n")
    return 0


def _arrays(out: Path, **arrays: Any) -> int:
    write_arrays(out, arrays)
    print(out)
    return 0


def _lines(names: Sequence[str], energies: Tensor) -> list[str]:
    return [f"{name} {' '.join(f'{e:.1f}' for e in row)}" for name, row in zip(names, energies.tolist(), strict=True)]


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(restore, args=arguments, prog="ebm restore")
