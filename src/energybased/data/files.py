"""A user's own data: `.npy`, `.npz`, or a folder of pictures."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from energybased.data.dataset import DataSet, shuffled_split
from energybased.errors import UserError, require

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif")


def from_path(path: Path | str) -> DataSet:
    """Reads `.npy` (x), `.npz` (`x` and, if there, `y`) or a folder of equally large pictures.

    Bytes are scaled from 0 ... 255 to [0, 1]; floating-point values stay as they are. A tenth each is set aside
    for choosing and for reporting.

    Raises:
        UserError: if there is nothing there, or it is not what its name says.
    """
    path = Path(path)
    require(path.exists(), f"there is no data at {path}")
    y: Tensor | None = None
    if path.is_dir():
        x = _folder(path)
    elif path.suffix == ".npy":
        x = _scaled(path, _numpy(path, "x"))
    elif path.suffix == ".npz":
        x = _scaled(path, _numpy(path, "x"))
        y = _labels(path, len(x))
    else:
        raise UserError(f"{path} is not a .npy or .npz file or a folder of pictures")
    require(len(x) >= 10, f"{path} holds {len(x)} examples; at least 10 are needed")
    require(bool(x.isfinite().all()), f"{path} holds values that are not finite")
    return shuffled_split(path.stem, x, y, validation=len(x) // 10, test=len(x) // 10)


def _numpy(path: Path, name: str) -> NDArray[np.generic]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if path.suffix == ".npz":
            require(name in loaded.files, f"{path} has no array {name!r}, only {', '.join(loaded.files) or 'nothing'}")
            loaded = loaded[name]
        array: NDArray[np.generic] = np.asarray(loaded)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} cannot be read: it is cut short or not a NumPy file") from error
    return array


def _scaled(path: Path, array: NDArray[np.generic]) -> Tensor:
    require(array.ndim >= 2, f"{path} must hold x of shape (n, *event), got {array.shape}")
    if array.dtype == np.uint8:
        return torch.from_numpy(array.astype(np.float32) / 255)
    require(
        np.issubdtype(array.dtype, np.floating), f"{path} must hold bytes or floating-point values, not {array.dtype}"
    )
    return torch.from_numpy(array.astype(np.float32))


def _labels(path: Path, n: int) -> Tensor | None:
    with np.load(path, allow_pickle=False) as loaded:
        if "y" not in loaded.files:
            return None
    y = _numpy(path, "y")
    require(y.shape == (n,), f"{path} has x of {n} rows and y of shape {y.shape}")
    require(np.issubdtype(y.dtype, np.integer), f"{path} must hold whole-numbered labels, not {y.dtype}")
    return torch.from_numpy(y.astype(np.int64))


def _folder(folder: Path) -> Tensor:
    from PIL import Image, UnidentifiedImageError

    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES)
    require(len(files) > 0, f"the folder {folder} holds no pictures ({', '.join(PICTURES)})")
    pictures: list[NDArray[np.uint8]] = []
    for file in files:
        try:
            with Image.open(file) as image:
                mode = "L" if image.mode in ("1", "L", "I;16", "LA") else "RGB"
                pictures.append(np.asarray(image.convert(mode), dtype=np.uint8))
        except (UnidentifiedImageError, OSError) as error:
            raise UserError(f"{file} is not a readable picture") from error
        require(
            pictures[-1].shape == pictures[0].shape,
            f"{file} is {pictures[-1].shape}, but {files[0]} is {pictures[0].shape}; make all pictures alike",
        )
    stack = np.stack(pictures)
    stack = stack[:, None] if stack.ndim == 3 else stack.transpose(0, 3, 1, 2)
    return torch.from_numpy(stack.astype(np.float32) / 255)
