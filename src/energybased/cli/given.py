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
        arrays = [a.float() if a.is_floating_point() else a for a in arrays]
        shaped = [
            a.flatten().long() if isinstance(kind, Classes) else a.reshape(len(a), *kind.shape)
            for a, kind in zip(arrays, kinds, strict=False)
        ]
        parts = check_conditions(shaped, kinds)
        return parts, len(parts[0])
    require(len(kinds) == 1, "the model has several conditions: give them in a .npz file, one array each")
    kind = kinds[0]
    if isinstance(kind, Vector):
        try:
            values = [float(cell) for cell in text.split(",")]
        except ValueError:
            values = []
        require(len(values) == kind.width, f"--given must be {kind.width} numbers separated by commas, got {text!r}")
        return [torch.tensor(values).reshape(1, *kind.shape).expand(n, *kind.shape)], n
    return [torch.tensor(kind.number(text)).expand(n)], n
