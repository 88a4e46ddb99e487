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
    elif path.suffix in (".npy", ".npz"):
        arrays = _arrays(path)
        require("x" in arrays, f"{path} has no array 'x', only {', '.join(arrays) or 'nothing'}")
        x = _scaled(path, arrays["x"])
        y = _labels(path, arrays["y"], len(x)) if "y" in arrays else None
    else:
        raise UserError(f"{path} is not a .npy or .npz file or a folder of pictures")
    require(len(x) >= 10, f"{path} holds {len(x)} examples; at least 10 are needed")
    require(bool(x.isfinite().all()), f"{path} holds values that are not finite")
    return shuffled_split(path.stem, x, y, validation=len(x) // 10, test=len(x) // 10)


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of a file by name; the one of a `.npy` is called x."""
    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            arrays = {"x": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: it is cut short or not a NumPy file") from error
    return arrays


def _scaled(path: Path, array: NDArray[np.generic]) -> Tensor:
    shaped = array.ndim >= 2 and min(array.shape[1:]) > 0
    require(shaped, f"{path} must hold x of shape (n, *event), got {array.shape}")
    if array.dtype == np.uint8:
        return torch.from_numpy(array.astype(np.float32) / 255)
    require(
        np.issubdtype(array.dtype, np.floating), f"{path} must hold bytes or floating-point values, not {array.dtype}"
    )
    return torch.from_numpy(array.astype(np.float32))


def _labels(path: Path, y: NDArray[np.generic], n: int) -> Tensor:
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
