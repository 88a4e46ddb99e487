"""What a trained model is shown: pictures and arrays of the shape that it knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from energybased.data.files import examples_in, read_arrays
from energybased.data.folder import BROKEN, GREY, SUFFIXES, as_array, pictures_in
from energybased.errors import UserError, require


def examples(path: Path, event: Sequence[int]) -> tuple[list[str], Tensor, tuple[str, ...]]:
    """The examples at a path by name, their pixels `(n, *event)` in [0, 1], and what was done to them.

    A picture, a folder of pictures, which are scaled and cut to the shape, or an .npy or .npz file with x of it.

    Raises:
        UserError: if nothing is there, or it is of another shape, or not pixels.
    """
    require(path.exists(), f"there is nothing at {path}")
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        return _pictures(path, event)
    require(path.suffix in (".npy", ".npz"), f"{path} is no picture, no folder of pictures, and no .npy or .npz file")
    x, notes = examples_in(path, read_arrays(path))
    if tuple(x.shape[1:]) == (1, *event):  # what the model knows has no place for channels
        x, notes = x[:, 0], ()
    x = x.float() / 255 if x.dtype == torch.uint8 else x.float()
    shape = ", ".join(map(str, event))
    require(tuple(x.shape[1:]) == tuple(event), f"{path} must hold x of (n, {shape}), got {tuple(x.shape)}")
    require(len(x) > 0, f"{path} holds no examples")
    require(bool(((x >= 0) & (x <= 1)).all()), f"{path} holds values outside [0, 1]")
    return [str(row) for row in range(len(x))], x, notes


def _pictures(path: Path, event: Sequence[int]) -> tuple[list[str], Tensor, tuple[str, ...]]:
    require(len(event) == 3 and event[0] in (1, 3), f"the model knows no pictures, but examples of {tuple(event)}")
    require(event[1] == event[2], f"the model knows pictures of {event[1]} x {event[2]}: give an .npy file of them")
    files = pictures_in(path) if path.is_dir() else [path]
    require(len(files) > 0, f"the folder {path} holds no pictures ({', '.join(SUFFIXES)})")
    x, scaled, greyed = torch.empty(len(files), *event, dtype=torch.uint8), 0, 0
    for row, file in enumerate(files):
        try:
            with Image.open(file) as image:
                scaled += image.size != tuple(event[1:])
                greyed += event[0] == 1 and image.mode not in GREY
                x[row] = torch.from_numpy(as_array(image, event[1], "L" if event[0] == 1 else "RGB").copy())
        except BROKEN as error:
            raise UserError(f"{file} is not a readable picture") from error
    names = [str(file.relative_to(path)) if path.is_dir() else file.name for file in files]
    notes = [f"{scaled} of {len(files)} pictures were scaled and cut to {event[1]} x {event[2]}"] if scaled else []
    notes += [f"{greyed} of {len(files)} pictures were turned grey"] if greyed else []
    return names, x.float() / 255, tuple(notes)
