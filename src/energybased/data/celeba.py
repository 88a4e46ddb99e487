"""CelebA (Liu et al. 2015): faces, aligned and cropped."""

from __future__ import annotations

from pathlib import Path

from energybased.data.dataset import DataSet
from energybased.data.folder import stored
from energybased.data.source import Source, cache
from energybased.errors import UserError, require

SIZE = 64
PARTS = ("train", "validation", "test")  # 0, 1 and 2 in the list of the partition


def celeba(root: str | None) -> DataSet:
    """64x64 faces by the published partition: 162,770 to train on, 19,867 to choose on, 19,962 held out.

    The short side is scaled to 64 and the middle cut out. The files are given out by the authors on request.
    """
    listing = Source("celeba/list_eval_partition.txt").locate(root)
    pictures = Source("celeba/img_align_celeba").locate(root)
    files = read_partition(listing, pictures)
    train, validation, test = (
        stored(files[i], SIZE, cache() / f"celeba{SIZE}-{part}.npy") for i, part in enumerate(PARTS)
    )
    return DataSet("celeba", train, validation, test)


def read_partition(listing: Path, pictures: Path) -> list[list[Path]]:
    """The files of each part, from lines of a file's name and the number of its part."""
    files: list[list[Path]] = [[], [], []]
    try:
        for line in listing.read_text().splitlines():
            name, part = line.split()
            files[int(part)].append(pictures / name)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise UserError(f"{listing} is not the list of CelebA's partition") from error
    require(all(files), f"{listing} is cut short: a part of the partition is empty")
    return files
