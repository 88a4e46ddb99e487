"""`ebm restore RUN PATH`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import tyro

from energybased.cli.candidates import draw_candidates
from energybased.cli.degradation import UNDEGRADED, DegradationGroup
from energybased.cli.drawn import sheet_of
from energybased.cli.holes import fill_cells
from energybased.cli.job import Job
from energybased.cli.mapped import map_pictures
from energybased.cli.place import HERE, PlaceOptions
from energybased.cli.seed import generator_of
from energybased.data.columns import SUFFIXES as TABLES
from energybased.errors import require
from energybased.tasks.across import TETHER

CANDIDATES = 8
KINDS = "--mask FILE, --noise salt-pepper=SHARE or gaussian=SIGMA, --blur WIDTH, --scale FACTOR, or --to CLASS"


def restore(
    path: tyro.conf.Positional[Path],
    what: tyro.conf.Positional[Path],
    /,
    degradation: DegradationGroup = UNDEGRADED,
    candidates: int | None = None,
    to: str | None = None,
    tether: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    out: Path | None = None,
    given: str | None = None,
    place: PlaceOptions = HERE,
) -> int:
    """Restores degraded pictures, maps pictures to another class, or fills the empty cells of a table.

    Of each picture, several candidates are drawn, and their energies printed as CSV, in nats; a low energy means that
    the model finds a candidate probable. One picture shows the best candidates, a second one all of them beside the
    degraded ones. With --to, the second one shows the way from the picture to the other class.

    Args:
        path: a run, an exported model, or the name of one that comes with this package.
        what: a picture, a folder of pictures, an .npy or .npz file, or a table (.csv, .parquet) with empty cells.
        degradation: what was done to the pictures.
        candidates: number of candidates; 8 if not given.
        to: class that the pictures become.
        tether: with --to, the standard deviation of a Gaussian penalty around the picture; a smaller one keeps pixels
            closer to it. 2.4 if not given; 0 for no penalty. A model over levels of noise gives the picture noise of
            this level instead; with 0, it draws a fresh sample.
        steps: transitions of each chain, at each level of noise if there are several; with --to and such a model, the
            number of levels. If not given, the recipe's, or more where the degradation makes steps shorter.
        seed: seed of all random numbers.
        out: a .png, .npz or .csv file. The default is restored.png or restored.csv in the folder of the run.
        given: condition of a conditional model, as in `ebm sample`. Without it, chains sum over the classes.
        place: device and processes that compute.
    """
    rng, table = generator_of(seed), what.suffix.lower() in TABLES
    require(steps is None or steps >= 1, f"steps must be at least 1, got {steps}")
    require(candidates is None or candidates >= 1, f"candidates must be at least 1, got {candidates}")
    wide = tether is None or 0 <= tether < math.inf
    require(wide, f"the tether is a standard deviation, or 0 for none, got {tether}")
    require(tether is None or to is not None, "--tether goes with --to only")
    require(what.exists(), f"there is nothing at {what}")
    undegraded = degradation == UNDEGRADED
    plain = undegraded and to is None
    require(plain or not table, f"{what} is a table, of which empty cells are filled: it has no other degradation")
    require(table or degradation.named or to is not None, f"say what was done to {what}: {KINDS}")
    single = undegraded and given is None and candidates is None
    excluded = "--mask, --noise, --blur, --scale, --degrade, --candidates and --given"
    require(to is None or single, f"--to takes a whole picture, and draws one chain: leave out {excluded}")
    endings = (".csv",) if table else (".png", ".npz")
    out = (path if path.is_dir() else path.parent) / f"restored{endings[0]}" if out is None else out
    require(out.suffix in endings, f"{out} must end in {' or '.join(endings)}")
    name = "film" if to is not None else "candidates"
    for written in (out, sheet_of(out, name)):
        read = [path.resolve() for path in (what, degradation.mask) if path is not None]
        inside = what.is_dir() and what.resolve() in written.resolve().parents
        require(written.resolve() not in read and not inside, f"--out {out} would overwrite or add to what is restored")
    require(out.parent.is_dir(), f"there is no folder {out.parent} to write {out.name} into")
    job = Job(path, place.load(path), what, out, steps, rng, given)
    count = CANDIDATES if candidates is None else candidates
    if table:
        fill_cells(job, count)
    elif to is None:
        draw_candidates(job, degradation, count)
    else:
        map_pictures(job, to, TETHER if tether is None else tether)
    return 0


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(restore, args=arguments, prog="ebm restore")
