"""Conditions as the command line says them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from energybased.conditions import Classes, Conditions, Vector, check_conditions
from energybased.data.columns import SUFFIXES, features, read_columns
from energybased.data.files import read_arrays
from energybased.errors import require


def read_given(text: str, model: Any, n: int) -> tuple[list[Tensor], int]:
    """The conditions of `--given`, a row for each of the n samples, and n; a file says how many there are.

    Args:
        text: a class or its label, numbers separated by commas, or a file with a row for each sample.
        model: what is conditional.

    Raises:
        UserError: if the model is not conditional on what the text says.
    """
    kinds: Conditions = getattr(model, "conditions", ())
    require(len(kinds) > 0, "the model is not conditional: it takes no --given")
    path = Path(text)
    if path.suffix in (".npy", ".npz", *SUFFIXES):
        require(path.exists(), f"there is nothing at {text}")
        if path.suffix in SUFFIXES:
            columns = read_columns(path)
            arrays: list[Any] = [features(columns, tuple(columns), text).float()]
        else:
            arrays = [torch.from_numpy(np.asarray(a)) for a in read_arrays(path).values()]
        told = f"{text} holds {len(arrays)} arrays, but the model has {len(kinds)} conditions"
        require(len(arrays) == len(kinds), told)
        parts = check_conditions([_shaped(a, kind, text) for a, kind in zip(arrays, kinds, strict=True)], kinds)
        return parts, len(parts[0])
    require(len(kinds) == 1, "the model has several conditions: give them in a .npz file, one array each")
    kind = kinds[0]
    if isinstance(kind, Vector):
        try:
            values = [float(cell) for cell in text.split(",")]
        except ValueError:
            values = []
        require(len(values) == kind.width, f"--given must be {kind.width} numbers separated by commas, got {text!r}")
        return check_conditions([torch.tensor(values).reshape(1, *kind.shape).expand(n, *kind.shape)], kinds), n
    return [torch.tensor(kind.number(text)).expand(n)], n


def _shaped(array: Tensor, kind: Classes | Vector, where: str) -> Tensor:
    """A row for each sample, flat or not, as class numbers `(n,)` or vectors `(n, *shape)`."""
    width = 1 if isinstance(kind, Classes) else kind.width
    row = array.shape[1:].numel()
    fits = array.ndim > 0 and row == width
    require(fits, f"a row of {where} has {row if array.ndim else 0} numbers; the model is conditional on {kind}")
    if isinstance(kind, Vector):
        return array.float().reshape(len(array), *kind.shape)
    require(bool((array == array.round()).all()), f"{where} must hold whole numbers, the classes")
    return array.flatten().long()
