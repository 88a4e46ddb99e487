"""A user's own data: `.npy`, `.npz`, or a folder of pictures."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from energybased.data.dataset import DataSet, shuffled_split
from energybased.data.folder import read_folder
from energybased.errors import UserError, require


def from_path(path: Path | str, size: int | None = None, skip_broken: bool = False) -> DataSet:
    """Reads `.npy` (x), `.npz` (`x` and, if there, `y`) or a folder of pictures.

    Bytes count as pixels of 0 ... 255; floating-point values stay as they are. A tenth each is set aside for
    choosing and for reporting.

    Args:
        size: scale and cut the pictures of a folder to size x size.
        skip_broken: leave out pictures that cannot be read.

    Raises:
        UserError: if there is nothing there, or it is not what its name says.
    """
    path = Path(path)
    require(path.exists(), f"there is no data at {path}")
    y: Tensor | None = None
    notes: tuple[str, ...] = ()
    if path.is_dir():
        x, y, notes = read_folder(path, size, skip_broken)
    elif path.suffix in (".npy", ".npz"):
        arrays = read_arrays(path)
        x, notes = examples_in(path, arrays)
        y = _labels(path, arrays["y"], len(x)) if "y" in arrays else None
    else:
        raise UserError(f"{path} is not a .npy or .npz file or a folder of pictures")
    require(len(x) >= 10, f"{path} holds {len(x)} examples; at least 10 are needed")
    if x.is_floating_point():
        require(bool(x.isfinite().all()), f"{path} holds values that are not finite")
    if size is not None and not path.is_dir():
        notes += ("--size scales the pictures of folders alone",)
    data = shuffled_split(path.stem, x, y, validation=len(x) // 10, test=len(x) // 10)
    return replace(data, notes=notes)


def read_arrays(path: Path, names: Sequence[str] | None = None) -> dict[str, NDArray[np.generic]]:
    """The arrays of a file by name, or these alone; the one of a `.npy` is called x."""
    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"x": loaded}
            return {name: loaded[name] for name in (loaded.files if names is None else names)}
    except KeyError as error:
        raise UserError(f"{path} lacks an array: {error.args[0]}") from error
    except (ValueError, OSError, EOFError, AttributeError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: it is cut short or not a NumPy file") from error


def examples_in(path: Path, arrays: dict[str, NDArray[np.generic]]) -> tuple[Tensor, tuple[str, ...]]:
    """The array x of a file, pictures `(n, channels, height, width)`, and what was done to it."""
    require("x" in arrays, f"{path} has no array 'x', only {', '.join(arrays) or 'nothing'}")
    x = _numbers(path, arrays["x"])
    if x.ndim == 3:
        return x[:, None], ("examples were read as grey pictures, (1, height, width)",)
    if x.ndim == 4 and x.shape[1] not in (1, 3) and x.shape[3] in (1, 3):
        return x.permute(0, 3, 1, 2).contiguous(), ("channels were taken from the last place to the first",)
    return x, ()


def _numbers(path: Path, array: NDArray[np.generic]) -> Tensor:
    require(isinstance(array, np.ndarray), f"{path} holds no array 'x'")
    shaped = array.ndim >= 2 and min(array.shape[1:]) > 0
    require(shaped, f"{path} must hold x of shape (n, *event), got {array.shape}")
    if array.dtype == np.uint8:
        return torch.from_numpy(array.copy())
    require(
        np.issubdtype(array.dtype, np.floating), f"{path} must hold bytes or floating-point values, not {array.dtype}"
    )
    return torch.from_numpy(array.astype(np.float32))


def _labels(path: Path, y: NDArray[np.generic], n: int) -> Tensor:
    require(isinstance(y, np.ndarray) and y.shape == (n,), f"{path} has x of {n} rows and y of shape {y.shape}")
    require(np.issubdtype(y.dtype, np.integer), f"{path} must hold whole-numbered labels, not {y.dtype}")
    there = np.unique(y)
    require(
        len(y) > 0 and bool((there == np.arange(len(there))).all()),
        f"{path} must hold labels 0, 1, ... without gaps, not {', '.join(map(str, there[:4]))} ...",
    )
    return torch.from_numpy(y.astype(np.int64))
