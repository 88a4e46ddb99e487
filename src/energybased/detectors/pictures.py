"""Pictures as users give them: a folder, or an array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from energybased.data.folder import BROKEN, SUFFIXES, as_colour, pictures_in
from energybased.errors import UserError, require
from energybased.evaluation.extractors.pictures import stretched

CHUNK = 100  # pictures that are read at once
CHANNELS = (1, 3)


@dataclass(frozen=True)
class Pictures:
    """Pictures in an array or in files, which are read when they are needed.

    Args:
        source: `(n, channels, height, width)`, bytes or numbers in [0, 1]; or files.
        size: height and width to which files are scaled.
    """

    source: Tensor | tuple[Path, ...]
    size: int

    @staticmethod
    def of(given: Any, size: int) -> Pictures:
        """The pictures of a folder and its subfolders, in the order of their paths, of a file, or of an array.

        Args:
            given: a folder or file; or an array or tensor `(n, channels, height, width)`, `(n, height, width)` or
                `(n, height, width, channels)`, of bytes or of numbers in [0, 1], with 1 or 3 channels.

        Raises:
            UserError: if the folder holds no pictures, or the array is none of these.
        """
        if isinstance(given, Pictures):
            return given
        if isinstance(given, (str, Path)):
            path = Path(given)
            require(path.exists(), f"there is nothing at {path}")
            files = tuple(pictures_in(path)) if path.is_dir() else (path,)
            require(len(files) > 0, f"the folder {path} holds no pictures ({', '.join(SUFFIXES)})")
            return Pictures(files, size)
        x = given.detach().cpu() if isinstance(given, Tensor) else _tensor(given)
        shape = tuple(x.shape)
        one = x.ndim == 3 and (shape[0] == 3 or shape[2] == 3)
        require(not one, f"pictures of shape {shape} look like a single one: give an array (1, height, width, 3) of it")
        both = x.ndim == 4 and shape[1] in CHANNELS and shape[3] in CHANNELS and shape[1:] != (1, 1, 1)
        require(not both, f"pictures of shape {shape} may have their channels first or last: give wider ones")
        require(x.numel() > 0, "there are no pictures in the array")
        if x.ndim == 3:
            x = x[:, None]
        elif x.ndim == 4 and x.shape[1] not in CHANNELS:
            x = x.movedim(3, 1)
        fits = x.ndim == 4 and x.shape[1] in CHANNELS and len(x) > 0 and min(x.shape[2:]) > 0
        require(
            fits,
            f"pictures are (n, 1 or 3, height, width), (n, height, width, 1 or 3) or (n, height, width), got {shape}",
        )
        require(
            x.dtype == torch.uint8 or x.is_floating_point(), f"pictures are bytes or numbers in [0, 1], got {x.dtype}"
        )
        if x.is_floating_point():
            inside = bool(((x >= 0) & (x <= 1)).all())
            require(inside, "pictures of numbers must be in [0, 1], and have no NaN: divide by 255, or give bytes")
        return Pictures(x, size)

    def __len__(self) -> int:
        return len(self.source)

    def select(self, rows: Any) -> Pictures:
        """The pictures of these row numbers."""
        source = self.source[rows] if isinstance(self.source, Tensor) else tuple(self.source[int(i)] for i in rows)
        return Pictures(source, self.size)

    def chunks(self) -> Iterator[Tensor]:
        """The pictures in order, as numbers in [0, 1] `(at most 100, 1 or 3, height, width)`.

        Raises:
            UserError: if a file is no picture.
        """
        for first in range(0, len(self), CHUNK):
            part = self.source[first : first + CHUNK]
            x = part if isinstance(part, Tensor) else torch.stack([self._file(file) for file in part])
            yield x.float() / 255 if x.dtype == torch.uint8 else x.float()

    def _file(self, file: Path) -> Tensor:
        """The picture `(3, size, size)`, scaled as the features scale pictures of an array."""
        try:
            with Image.open(file) as image:
                x = torch.from_numpy(np.array(as_colour(image))).movedim(2, 0)
        except BROKEN as error:
            raise UserError(f"{file} is not a readable picture") from error
        return stretched(x[None].float() / 255, self.size)[0]


def _tensor(given: Any) -> Tensor:
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise UserError("pictures of an array must have one size") from error
    require(array.dtype.kind in "fiub", f"pictures are a folder, or an array of numbers, got {array.dtype} values")
    if array.dtype == np.uint8:
        return torch.from_numpy(np.ascontiguousarray(array))
    require(array.dtype.kind == "f", f"pictures are bytes or numbers in [0, 1], got {array.dtype}")
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
