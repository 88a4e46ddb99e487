"""Pictures in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from energybased.errors import UserError, require

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif")
GREY = ("1", "L", "I;16", "LA")


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder and below it, by name."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)


def read_folder(folder: Path, size: int | None, skip_broken: bool) -> tuple[Tensor, Tensor | None, tuple[str, ...]]:
    """The pictures `(n, channels, height, width)` as bytes, their classes if each lies in a subfolder, and notes.

    Pictures are grey if all of them are. Where their sizes differ, or `size` is given, the short side is scaled to
    `size` (the smallest short side if not given) and the middle is cut out; the notes say so.
    """
    files = pictures_in(folder)
    require(len(files) > 0, f"the folder {folder} holds no pictures ({', '.join(SUFFIXES)})")
    images, kept, broken = [], [], []
    for file in files:
        try:
            with Image.open(file) as image:
                images.append(image.convert("L" if image.mode in GREY else "RGB"))
                kept.append(file)
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            if not skip_broken:
                raise UserError(f"{file} is not a readable picture; --skip-broken leaves such out") from error
            broken.append(file)
    require(len(images) > 0, f"none of the {len(files)} pictures in {folder} can be read")
    notes = [f"left out {len(broken)} broken pictures, the first {broken[0]}"] if broken else []
    modes, sizes = {image.mode for image in images}, {image.size for image in images}
    if len(modes) > 1:
        notes.append(f"{sum(image.mode == 'L' for image in images)} grey pictures were turned into colour")
    if size is not None or len(sizes) > 1:
        size = min(min(s) for s in sizes) if size is None else size
        if sizes != {(size, size)}:
            notes.append(f"pictures of {len(sizes)} sizes were scaled and cut to {size} x {size}")
    mode = "RGB" if len(modes) > 1 else modes.pop()
    x = torch.from_numpy(np.stack([as_array(image.convert(mode), size) for image in images]))
    return x, _classes(folder, kept), tuple(notes)


def as_array(image: Image.Image, size: int | None) -> NDArray[np.uint8]:
    """`(channels, height, width)`, the short side scaled to `size` and the middle cut out."""
    if size is not None and image.size != (size, size):
        scale = size / min(image.size)
        width, height = (max(size, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        left, top = (width - size) // 2, (height - size) // 2
        image = image.crop((left, top, left + size, top + size))
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def stored(files: Sequence[Path], size: int, target: Path) -> Tensor:
    """Very many colour pictures as bytes `(n, 3, size, size)` in a file that is read in place; made once."""
    shape = (len(files), 3, size, size)
    if not target.exists():
        from rich.progress import track

        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        out = np.lib.format.open_memmap(part, "w+", np.uint8, shape)
        try:
            for i, file in track(list(enumerate(files)), description=f"preparing {target.name}"):
                try:
                    with Image.open(file) as image:
                        out[i] = as_array(image.convert("RGB"), size)
                except (UnidentifiedImageError, OSError) as error:
                    raise UserError(f"{file} is not a readable picture") from error
            out.flush()
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
    array = np.load(target, mmap_mode="r+")
    require(array.shape == shape, f"{target} was made from other pictures: delete it")
    return torch.from_numpy(array)


def _classes(folder: Path, files: Sequence[Path]) -> Tensor | None:
    """Numbers of the subfolders by name, or None where pictures lie in the folder itself."""
    names = [file.relative_to(folder).parts[0] for file in files]
    if any(file.parent == folder for file in files):
        return None
    known = sorted(set(names))
    return torch.tensor([known.index(name) for name in names]) if len(known) > 1 else None
