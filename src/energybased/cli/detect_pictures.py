"""What `ebm detect` does with pictures, and with a model that is trained already."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from energybased.cli.notes import tell
from energybased.cli.table import tell_csv
from energybased.cli.verdicts import STORED, highest, judged, require_no_settings, write_page
from energybased.data.examples import examples
from energybased.data.files import EXAMPLES, named_array, read_arrays
from energybased.data.folder import SUFFIXES
from energybased.data.pictures import beside
from energybased.detectors import ModelDetector, PictureDetector
from energybased.detectors.pictures import Pictures
from energybased.errors import require
from energybased.models import Model
from energybased.report.charts import histograms
from energybased.report.page import note, picture
from energybased.runs.load import load

SHOWN = 40  # anomalies on a page
PLACED = 1000  # most anomalies whose oddest place is told
COLOURS = "inferno"
Rows = Pictures | Tensor


def holds_pictures(path: Path) -> bool:
    """Whether the path is a folder, a picture, or a file whose examples have the shape of pictures."""
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        return True
    if path.suffix not in (".npy", ".npz") or not path.is_file():
        return False
    shapes = [array.ndim for array in read_arrays(path).values()]
    return not any(ndim == 2 for ndim in shapes) and any(ndim in (3, 4) for ndim in shapes)


def detect_pictures(
    what: Path,
    train: Path | None,
    path: Path | None,
    settings: dict[str, Any],
    out: Path | None,
    report: Path | None,
    save: Path | None,
) -> int:
    """Judges pictures by features, or examples of any shape by the model at `path`."""
    stored = train is not None and train.suffix == STORED
    require(save is None or path is None, "--save keeps a detector that was fitted: a model is a file of its own")
    require(not stored or path is None, "--train is a detector that --save wrote, or --model a model: give one of them")
    require(train is None or train.exists(), f"there is nothing at {train}")
    one = train is None and path is None and what.is_file() and what.suffix.lower() in SUFFIXES
    require(not one, f"{what} is a single picture: --train FOLDER gives those that it is compared with")
    model = None if path is None else load(path)
    names, rows = read_rows(what, model)
    detector: PictureDetector | ModelDetector
    if train is not None and stored:
        require_no_settings(train, settings["novelty"], settings["contamination"])
        detector = PictureDetector.load(train)
    else:
        detector = PictureDetector(**settings) if model is None else ModelDetector(model, **settings)
        detector.fit(rows if train is None else read_rows(train, model)[1])
    seen: Any = detector.features(rows) if isinstance(detector, PictureDetector) else rows
    scores, p_values, labels = judged(detector, seen, train is None)
    flagged = highest(scores, labels, PLACED)
    told = detector.shows_entries and len(flagged) > 0
    odd = of_rows(detector, seen, flagged) if told else np.empty((0, 1, 1))
    oddest = {int(i): place(each) for i, each in zip(flagged, odd, strict=False)}
    if save is not None:
        assert isinstance(detector, PictureDetector)
        detector.save(save)
    lines = [
        [names[i], f"{scores[i]:.6g}", f"{p_values[i]:.4g}", str(labels[i]), oddest.get(i, "")]
        for i in range(len(scores))
    ]
    tell_csv([["name", "score", "p_value", "label", "oddest"], *lines], out)
    said = f"{int(labels.sum())} of {len(labels)} examples are anomalous"
    print(said, file=sys.stderr)
    if report is not None:
        groups = {"examples": torch.from_numpy(scores)}
        groups = groups if train is None else {"training": torch.from_numpy(detector.decision_scores_), **groups}
        shown = flagged[:SHOWN]
        captions = [f"{names[i]}: {scores[i]:.2f}, p = {p_values[i]:.2g}" for i in shown]
        sections = {"Scores": [histograms(groups, "score")], "Anomalies": [note(f"{said}.")]}
        if odd.ndim == 3 and told:
            words = "Beside each, how odd its pixels are, black for none, on one scale for all."
            sections["Anomalies"] = [note(f"{said}. {words}")]
            sections["Anomalies"] += figures(select(rows, shown), odd[: len(shown)], captions)
        write_page(report, what, sections)
        print(report, file=sys.stderr)
    return 0


def read_rows(path: Path, model: Model | None) -> tuple[list[str], Rows]:
    """The names of examples, or their numbers from 1, and the examples: pictures, or those of a model."""
    require(path.exists(), f"there is nothing at {path}")
    pictures = path.is_dir() or path.suffix.lower() in SUFFIXES
    if model is not None:
        names, x, notes = examples(path, model.spec)
        tell(notes)
        return names if pictures else [str(i + 1) for i in range(len(x))], x
    if pictures:
        found = Pictures.of(path, PictureDetector.SIDE)
        assert isinstance(found.source, tuple)
        return [str(file.relative_to(path)) if path.is_dir() else file.name for file in found.source], found
    require(path.suffix in (".npy", ".npz"), f"{path} is no picture, no folder of them, and no .npy or .npz file")
    found = Pictures.of(named_array(read_arrays(path), EXAMPLES, str(path)), PictureDetector.SIDE)
    return [str(i + 1) for i in range(len(found))], found


def select(rows: Rows, chosen: NDArray[Any]) -> Rows:
    return rows[torch.from_numpy(chosen)] if isinstance(rows, Tensor) else rows.select(chosen)


def of_rows(detector: PictureDetector | ModelDetector, seen: Any, chosen: NDArray[Any]) -> NDArray[Any]:
    """How odd the places of chosen rows are, `(n, 14, 14)`, or their entries, by a model."""
    rows = torch.from_numpy(chosen)
    if isinstance(detector, PictureDetector):
        return detector.places(seen.select(rows))
    return detector.map(seen[rows])


def place(odd: NDArray[Any]) -> str:
    """Where the largest entry of a map is: of a picture, in parts of its height and width."""
    where = np.unravel_index(int(odd.argmax()), odd.shape)
    if odd.ndim == 1:
        return f"entry {where[0]}"
    down, across = (round(100 * (i + 0.5) / n) for i, n in zip(where, odd.shape, strict=True))
    return f"{down} % down, {across} % across"


def figures(rows: Rows, odd: NDArray[Any], captions: Sequence[str]) -> list[str]:
    """HTML of pictures, each beside the map of its odd places in colours."""
    x = torch.cat(list(rows.chunks())) if isinstance(rows, Pictures) else rows
    maps = interpolate(torch.from_numpy(odd)[:, None].float(), x.shape[2:], mode="bilinear")[:, 0].numpy()
    colours = matplotlib.colormaps[COLOURS]((maps / max(float(maps.max()), 1e-12)).clip(0, 1))[..., :3]
    heat = torch.from_numpy(colours).permute(0, 3, 1, 2).float()
    pairs = zip(x.expand(-1, 3, -1, -1), heat, captions, strict=True)
    return [picture(beside(each, odd), caption) for each, odd, caption in pairs]
