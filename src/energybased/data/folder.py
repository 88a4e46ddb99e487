"""Pictures in a folder."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from energybased.data.dataset import Split
from energybased.errors import UserError, require

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif")
GREY = ("1", "L", "I", "I;16", "I;16B", "LA")
BROKEN = (
    UnidentifiedImageError,
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder and its subfolders, sorted by path."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)


Found = tuple[Tensor, Tensor | None, tuple[str, ...], tuple[str, ...]]


def read_folder(folder: Path, size: int | None, skip_broken: bool) -> Found:
    """Reads the pictures in a folder as bytes `(n, channels, height, width)`.

    Returns them with class numbers, class names and remarks. The subfolders are the classes, if all pictures lie in
    subfolders. Pictures are greyscale if all of them are. Transparent areas become white. If sizes differ, or `size` is
    given, the short side of each picture is scaled to `size` and the centre is cropped. `size` is by default the
    smallest short side.
    """
    files = pictures_in(folder)
    require(len(files) > 0, f"the folder {folder} holds no pictures ({', '.join(SUFFIXES)})")
    heads: dict[Path, Image.Image] = {}
    broken: list[Path] = []
    for file in files:
        try:
            with Image.open(file) as image:  # loads the picture to check it, and keeps only its properties
                image.load()
                heads[file] = Image.new(image.mode, (1, 1))
                heads[file].info = {
                    "size": image.size,
                    "clear": is_transparent(image),
                    "frames": getattr(image, "n_frames", 1),
                }
        except BROKEN as error:
            if not skip_broken:
                raise UserError(f"{file} is not a readable picture; --skip-broken leaves such pictures out") from error
            broken.append(file)
    require(len(heads) > 0, f"none of the {len(files)} pictures in {folder} can be read")
    grey = sum(head.mode in GREY for head in heads.values())
    mode = "L" if grey == len(heads) else "RGB"
    sizes = {head.info["size"] for head in heads.values()}
    if size is not None or len(sizes) > 1:
        size = min(min(s) for s in sizes) if size is None else size
    first = next(iter(sizes))
    shape = (size, size) if size is not None else (first[1], first[0])
    x = np.empty((len(heads), 1 if mode == "L" else 3, *shape), np.uint8)
    for row, file in enumerate(heads):
        with Image.open(file) as image:
            x[row] = as_array(image, size, mode)
    notes = _notes(heads, broken, grey, size, sizes)
    y, names, class_notes = _classes(folder, list(heads))
    return torch.from_numpy(x), y, names, (*notes, *class_notes)


def _notes(
    heads: dict[Path, Image.Image], broken: Sequence[Path], grey: int, size: int | None, sizes: set[tuple[int, int]]
) -> list[str]:
    clear = sum(head.info["clear"] for head in heads.values())
    moving = sum(head.info["frames"] > 1 for head in heads.values())
    deep = sum(head.mode.startswith("I") for head in heads.values())
    notes = [f"left out {len(broken)} broken pictures, the first of them {broken[0]}"] if broken else []
    notes += [f"{grey} greyscale pictures were converted to colour"] if 0 < grey < len(heads) else []
    notes += [f"{clear} pictures have transparent areas, which were made white"] if clear else []
    notes += [f"{deep} pictures with 16 bits were converted to 8 bits"] if deep else []
    notes += [f"{moving} pictures are animated; only the first frame was used"] if moving else []
    scaled = size is not None and sizes != {(size, size)}
    return notes + (
        [f"pictures of {len(sizes)} size{'s' * (len(sizes) > 1)} were scaled and cropped to {size} x {size}"]
        if scaled
        else []
    )


def is_transparent(image: Image.Image) -> bool:
    """Whether a picture has transparent areas, or can have them."""
    return image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info


def _flat(image: Image.Image, mode: str) -> Image.Image:
    """The picture with 8 bits per channel, in greyscale or colour, with transparent areas made white."""
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image, dtype=np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if is_transparent(image):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def as_colour(image: Image.Image) -> Image.Image:
    """The picture in colour with 8 bits per channel, with transparent areas made white."""
    return _flat(image, "RGB")


def as_array(image: Image.Image, size: int | None, mode: str) -> NDArray[np.uint8]:
    """The picture as `(channels, height, width)`, with the short side scaled to `size` and the centre cropped."""
    image = _flat(image, mode)
    if size is not None and image.size != (size, size):
        scale = size / min(image.size)
        width, height = (max(size, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        left, top = (width - size) // 2, (height - size) // 2
        image = image.crop((left, top, left + size, top + size))
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def stored(files: Sequence[Path], size: int, target: Path) -> Split:
    """Colour pictures as bytes `(n, 3, size, size)`, memory-mapped from `target`. The file is written once."""
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
                        out[i] = as_array(image, size, "RGB")
                except BROKEN as error:
                    raise UserError(f"{file} is not a readable picture") from error
            out.flush()
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
    array = np.load(target, mmap_mode="c")
    require(array.shape == shape, f"{target} was made from other pictures: delete it")
    return Split(torch.from_numpy(array), file=target.resolve())


def _classes(folder: Path, files: Sequence[Path]) -> tuple[Tensor | None, tuple[str, ...], tuple[str, ...]]:
    """Class numbers and names from the subfolders, or None if a picture lies in the folder itself; and remarks."""
    names = [file.relative_to(folder).parts[0] for file in files]
    known = sorted({name for name, file in zip(names, files, strict=True) if file.parent != folder})
    loose = sum(file.parent == folder for file in files)
    if loose:
        return None, (), (f"there are no classes, because {loose} pictures are not in a subfolder",) if known else ()
    if len(known) < 2:
        return None, (), ()
    return torch.tensor([known.index(name) for name in names]), tuple(known), ()
