"""Batch files of CIFAR and of downsampled ImageNet.

They are pickles. The reader accepts only arrays and plain values.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from energybased.data.dataset import Split
from energybased.errors import UserError, require

ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),  # how Python 3 writes bytes in the old protocol
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads numbers, strings, lists, dictionaries and NumPy arrays; refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise UserError(f"it refers to {module}.{name}, which is not allowed in a file of arrays")
        return super().find_class(module, name)


def read_batch(raw: bytes, name: str) -> dict[str, Any]:
    """Reads the dictionary in a batch file."""
    try:
        batch = ArrayUnpickler(io.BytesIO(raw), encoding="latin1").load()
    except UserError as error:
        raise UserError(f"{name}: {error}") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise UserError(f"{name} is cut short or not a batch file") from error
    require(isinstance(batch, dict) and "data" in batch, f"{name} is not a batch file: it holds no 'data'")
    return dict(batch)


def read_batches(place: Path, folder: str, names: Sequence[str], labels: str) -> Split:
    """Reads the examples of several batch files of 32x32 images from a folder, or from the published archive.

    Images are stored as `(n, 3072)`: all red values, then all green, then all blue.

    Args:
        place: path of the archive (.tar.gz), or of the folder.
        folder: name of the folder inside the archive.
        names: names of the batch files.
        labels: name of the labels in a batch.
    """
    xs, ys = [], []
    for name, raw in _files(place, folder, names):
        batch = read_batch(raw, name)
        x = batch["data"]
        fits = isinstance(x, np.ndarray) and x.dtype == np.uint8 and x.ndim == 2 and x.shape[1] == 3 * 32 * 32
        require(fits, f"{name} does not hold 32x32 images in colour")
        require(labels in batch, f"{name} has no {labels!r}: it is a batch of another data set")
        try:
            y = torch.as_tensor(batch[labels], dtype=torch.int64).reshape(-1)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UserError(f"{name} holds labels that are not whole numbers") from error
        require(len(y) == len(x), f"{name} has {len(x)} images, but {len(y)} labels")
        xs.append(torch.from_numpy(x.reshape(-1, 3, 32, 32)))
        ys.append(y)
    return Split(torch.cat(xs), torch.cat(ys))


def _files(place: Path, folder: str, names: Sequence[str]) -> list[tuple[str, bytes]]:
    if place.is_dir():
        missing = [name for name in names if not (place / name).exists()]
        require(not missing, f"{place} lacks {', '.join(missing)}")
        return [(str(place / name), (place / name).read_bytes()) for name in names]
    try:
        with tarfile.open(place) as archive:
            members = [archive.extractfile(f"{folder}/{name}") for name in names]
            require(all(members), f"{place} is not the archive of {folder}: a file is missing")
            return [(f"{place}/{name}", m.read()) for name, m in zip(names, members, strict=True) if m is not None]
    except (tarfile.TarError, OSError, EOFError, KeyError, zlib.error) as error:
        raise UserError(f"{place} is cut short, or not the archive of {folder}") from error
