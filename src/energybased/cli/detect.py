"""`ebm detect FILE`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from energybased.cli.detect_pictures import detect_pictures, holds_pictures
from energybased.cli.notes import tell
from energybased.cli.table import require_csv, tell_csv
from energybased.cli.verdicts import STORED, highest, judged, require_no_settings, write_page
from energybased.data.columns import SUFFIXES, Columns, read_columns
from energybased.detectors import EnergyDetector, Reason
from energybased.errors import UserError, nearest, require
from energybased.report.charts import histograms
from energybased.report.page import bar, note

LABELS = ("label", "labels", "target", "class", "y", "anomaly", "outlier", "is_anomaly", "is_outlier", "fraud")
SHOWN = 50  # anomalies on a page
REASONS = 3  # for an anomalous row
EXPLAINED = 1000  # most anomalies that have reasons, those with the highest scores


def detect(
    what: tyro.conf.Positional[Path],
    /,
    train: Path | None = None,
    model: Path | None = None,
    novelty: bool = False,
    contamination: Literal["auto"] | float = "auto",
    ignore: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    out: Path | None = None,
    report: Path | None = None,
    save: Path | None = None,
    reasons: int | None = None,
    seed: int = 0,
) -> int:
    """Finds anomalous rows of a table, or pictures. Writes scores, p-values, labels and reasons as CSV, a line each.

    A high score is anomalous; label 1 is an anomaly. A reason names a column of an anomalous row, its value, and one
    that would be normal beside the row's other columns. Columns of text are categories. Of an anomalous picture it is
    the oddest place; the page shows how odd each pixel is.

    Args:
        what: a table: a .csv, .parquet, .npy or .npz file; or a folder of pictures, or a .npy or .npz file of them.
        train: training rows or pictures, or a detector that --save wrote; what is judged itself if not given.
        model: a run, an exported model, or the name of one that comes with this package, whose scores judge examples.
            Those of --train must be examples that it was not trained on.
        novelty: the training rows are all normal.
        contamination: share of training rows above the threshold; "auto" for a false discovery rate of 0.1.
        ignore: columns that are left out, such as labels and numbers of rows.
        categories: columns of numbers that stand for categories.
        out: a .csv file; lines are printed if not given.
        report: an .html file, for a page with the most anomalous rows or pictures.
        save: a .safetensors file, for the fitted detector.
        reasons: most reasons for an anomalous row, 3 if not given. The 1,000 with the highest scores have reasons.
        seed: of everything random.
    """
    inputs = [path for path in (what, train, model) if path is not None]
    require_csv(out, *inputs)
    for path in (report, save):
        read = path is not None and path.resolve() in [given.resolve() for given in inputs]
        require(not read, f"{path} would be overwritten, and is read")
    require(report is None or report.suffix == ".html", f"{report} must end in .html")
    require(save is None or save.suffix == STORED, f"{save} must end in {STORED}")
    for path in (report, save):
        require(path is None or path.parent.is_dir(), f"there is no folder {path and path.parent} to write {path} into")
    require(reasons is None or reasons >= 1, f"reasons must be at least 1, got {reasons}")
    settings: dict[str, Any] = {"novelty": novelty, "contamination": contamination, "random_state": seed}
    if model is not None or holds_pictures(what):
        of_columns = bool(ignore or categories or reasons is not None)
        require(not of_columns, "--ignore, --categories and --reasons are of columns of tables")
        return detect_pictures(what, train, model, settings, out, report, save)
    columns = without(read_table(what), ignore if train is None else (), what)
    names = list(columns)
    if train is not None and train.suffix == STORED:
        require_no_settings(train, novelty or bool(categories), contamination)
        detector = EnergyDetector.load(train)
        names = list(getattr(detector, "feature_names_in_", names))
    else:
        source = columns if train is None else without(read_table(train), ignore, train)
        names = list(source)
        chosen = {names.index(name) for name in _known(categories, names)} | _text(source)
        detector = EnergyDetector(**settings, categories=sorted(chosen))
        with of_table(train or what):
            detector.fit(rows_of(source, names, chosen, train or what))
        detector.feature_names_in_ = np.array(names, dtype=object)
    if detector.levels_:
        tell([f"categories: {', '.join(str(names[i]) for i in detector.levels_)}"])
    tell(f"column {name!r} may be the label: leave it out with --ignore {name}" for name in suspects(names))
    x = rows_of(columns, names, set(detector.levels_), what)
    own = train is None
    with of_table(what), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")  # the rows have the order of the names
        scores, p_values, labels = judged(detector, x, own)
        flagged = highest(scores, labels, EXPLAINED)
        found = dict(
            zip(flagged.tolist(), detector.explain(x[flagged], reasons or REASONS) if len(flagged) else [], strict=True)
        )
    if save is not None:
        detector.save(save)
    head = ["row", "score", "p_value", "label", "reasons"]
    lines = [
        [str(i + 1), f"{scores[i]:.6g}", f"{p_values[i]:.4g}", str(labels[i]), "; ".join(map(str, found.get(i, [])))]
        for i in range(len(scores))
    ]
    tell_csv([head, *lines], out)
    print(f"{int(labels.sum())} of {len(labels)} rows are anomalous", file=sys.stderr)
    if report is not None:
        write_page(report, what, sections_of(detector, scores, p_values, int(labels.sum()), found))
        print(report, file=sys.stderr)
    return 0


def sections_of(
    detector: EnergyDetector,
    scores: NDArray[Any],
    p_values: NDArray[Any],
    count: int,
    found: dict[int, list[Reason]],
) -> dict[str, list[str]]:
    """The sections of a page: the distribution of scores, and the most anomalous rows with their reasons."""
    groups = {"rows": torch.from_numpy(scores)}
    if scores is not detector.decision_scores_:
        groups = {"training rows": torch.from_numpy(detector.decision_scores_), **groups}
    order = sorted(found, key=lambda i: -scores[i])[:SHOWN]
    most = max((reason.energy - reason.changed for i in order for reason in found[i]), default=1.0)
    lines = [
        f'<tr><td class="number">{i + 1}</td><td class="number">{scores[i]:.3f}</td>'
        f'<td class="number">{p_values[i]:.2g}</td>'
        f"<td>{''.join(bar(str(r), (r.energy - r.changed) / most) for r in found[i])}</td></tr>"
        for i in order
    ]
    head = '<tr><th class="number">row</th><th class="number">score</th><th class="number">p</th><th>reasons</th></tr>'
    said = f"{count} of {len(scores)} rows are anomalous; the {len(order)} with the highest scores are shown. "
    said += "A bar is as long as the normal value lowers the score."
    table = f"<table>{head}{''.join(lines)}</table>"
    return {"Scores": [histograms(groups, "score")], "Anomalies": [note(said), table]}


def read_table(path: Path) -> Columns:
    """The columns of a table, by name.

    Raises:
        UserError: if it cannot be read, or is no table.
    """
    require(path.is_file(), f"there is no file {path}")
    if path.suffix.lower() in SUFFIXES:
        return read_columns(path)
    require(path.suffix in (".npy", ".npz"), f"{path} is no table: a .csv, .parquet, .npy or .npz file is one")
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = {"": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise UserError(f"{path} is cut short, or not a file of arrays") from error
    tables = {name: array for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "fiub"}
    require(len(tables) == 1, f"{path} must hold one array of numbers (rows, columns), but holds {len(tables)}")
    (array,) = tables.values()
    return {f"x{i}": column.astype(np.float64) for i, column in enumerate(array.T)}


def without(columns: Columns, ignored: Sequence[str], path: Path) -> Columns:
    """The columns that are not ignored.

    Raises:
        UserError: if an ignored column does not exist, or none is left.
    """
    for name in ignored:
        require(name in columns, f"{path} has no column {name!r}: {nearest(name, columns)}")
    left = {name: cells for name, cells in columns.items() if name not in ignored}
    require(len(left) > 0, f"no column of {path} is left")
    return left


def rows_of(columns: Columns, names: Sequence[str], categories: set[int], path: Path) -> NDArray[Any]:
    """Rows `(n, len(names))` of these columns, as objects if some are categories.

    Raises:
        UserError: if a column is missing, or holds text and is no category.
    """
    for i, name in enumerate(names):
        require(name in columns, f"{path} has no column {name!r}: {nearest(name, columns)}")
        usable = i in categories or columns[name].dtype.kind == "f"
        require(usable, f"column {name!r} of {path} holds text, but only numbers in the training rows")
        cells = columns[name]
        if cells.dtype.kind == "f" and np.isinf(cells).any():
            row = int(np.flatnonzero(np.isinf(cells))[0]) + 1
            raise UserError(f"column {name!r} is infinite in row {row} of {path}: leave a cell that is missing empty")
    kind: Any = object if categories else np.float64
    return np.stack([np.asarray(columns[name], dtype=kind) for name in names], 1)


@contextmanager
def of_table(path: Path) -> Iterator[None]:
    """Inside, what scikit-learn says of a table is an error of the user's, which names the file."""
    try:
        yield
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{path} cannot be used: {str(error).splitlines()[0]}") from error


def suspects(names: Sequence[str]) -> list[str]:
    """Names of columns that are likely labels."""
    return [name for name in names if str(name).lower() in LABELS]


def _text(columns: Columns) -> set[int]:
    return {i for i, cells in enumerate(columns.values()) if cells.dtype.kind != "f"}


def _known(names: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    for name in names:
        require(name in known, f"there is no column {name!r} for --categories: {nearest(name, known)}")
    return names


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(detect, args=arguments, prog="ebm detect")
