"""Conditions on the command line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from energybased.conditions import Classes, Conditions, Vector, check_conditions
from energybased.data.columns import SUFFIXES, features, read_columns
from energybased.data.files import read_arrays
from energybased.errors import require


def read_given(text: str, model: Any, n: int) -> tuple[list[Tensor], int]:
    """Reads the conditions of `--given`. Returns them with one row per sample, and the number of samples.

    Args:
        text: a class number or label, numbers separated by commas, or a file with one row per sample. A file may have
            labels, too.
        model: the conditional model.
        n: number of samples, unless the text is a file, which has as many rows as there are samples.

    Raises:
        UserError: if the text does not fit the conditions of the model.
    """
    kinds: Conditions = getattr(model, "conditions", ())
    require(len(kinds) > 0, "the model is not conditional: it takes no --given")
    path = Path(text)
    if path.suffix.lower() in (".npy", ".npz", *SUFFIXES):
        require(path.exists(), f"there is nothing at {text}")
        if path.suffix.lower() in SUFFIXES:
            columns, label = read_columns(path), len(kinds) == 1 and isinstance(kinds[0], Classes)
            single = f"{text} has the columns {', '.join(columns)}, but the condition is a class: leave one column"
            require(not label or len(columns) == 1, single)
            arrays = list(columns.values()) if label else [features(columns, tuple(columns), text).numpy()]
        else:
            arrays = list(read_arrays(path).values())
        counts = f"{text} holds {len(arrays)} arrays, but the model has {len(kinds)} conditions"
        require(len(arrays) == len(kinds), counts)
        parts = check_conditions([_shaped(a, kind, text) for a, kind in zip(arrays, kinds, strict=True)], kinds)
        rows = {len(part) for part in parts}
        require(len(rows) == 1, f"{text} holds arrays of {' and '.join(map(str, sorted(rows)))} rows")
        return parts, len(parts[0])
    require(len(kinds) == 1, "the model has several conditions: give them in a .npz file with one array per condition")
    kind = kinds[0]
    if isinstance(kind, Vector):
        try:
            values = [float(cell) for cell in text.split(",")]
        except ValueError:
            values = []
        require(len(values) == kind.width, f"--given must be {kind.width} numbers separated by commas, got {text!r}")
        return check_conditions([torch.tensor(values).reshape(1, *kind.shape).expand(n, *kind.shape)], kinds), n
    return [torch.tensor(kind.number(text)).expand(n)], n


def with_given(model: Any, given: str | None, n: int, where: Path, rows: Tensor | slice = slice(None)) -> Any:
    """The model under the conditions of `--given`; itself if there are none and it can be summed over its classes.

    Args:
        model: the model.
        given: text or file of the conditions, one for each example; None if there is no `--given`.
        n: number of examples.
        where: file of the examples.
        rows: the examples that are taken.

    Raises:
        UserError: if the conditions do not fit the model or the examples, or some must still be given.
    """
    if given is not None:
        parts, count = read_given(given, model, n)
        require(count == n, f"--given has {count} conditions, but {where} has {n} examples")
        model = model.given(*(part[rows] for part in parts))
    check_given(model)
    return model


def check_given(model: Any) -> None:
    """Raises `UserError` if a condition must still be given that is not a single class, which can be summed over."""
    kinds: Conditions = getattr(model, "conditions", ())
    missing = " and ".join(map(str, kinds))
    require(not kinds or model.classes > 0, f"the model is conditional on {missing}: give values with --given")


def _shaped(array: NDArray[Any], kind: Classes | Vector, where: str) -> Tensor:
    """Rows of an array, flattened or not, as class numbers `(n,)` or vectors `(n, *shape)`."""
    width, row = 1 if isinstance(kind, Classes) else kind.width, math.prod(array.shape[1:])
    fits = array.ndim > 0 and row == width
    require(fits, f"a row of {where} has {row if array.ndim else 0} numbers; the model is conditional on {kind}")
    named = isinstance(kind, Classes) and bool(kind.names)
    require(named or array.dtype.kind in "fiu", f"{where} must hold numbers, not {array.dtype}")
    if isinstance(kind, Vector):
        return torch.from_numpy(array.astype(np.float32)).reshape(len(array), *kind.shape)
    cells: list[Any] = array.flatten().tolist()
    if kind.names:
        labels = [int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in cells]
        return torch.tensor([kind.number(str(label)) for label in labels])
    whole_numbers = bool((np.isfinite(array) & (array == np.round(array))).all())
    require(whole_numbers, f"{where} must hold whole numbers, which are classes")
    return torch.tensor([int(cell) for cell in cells])
