"""CelebA (Liu et al. 2015): faces, aligned and cropped."""

from __future__ import annotations

from pathlib import Path

from energybased.data.dataset import DataSet
from energybased.data.folder import stored
from energybased.data.source import Source, cache
from energybased.errors import UserError, require

SIZE = 64
PARTS = ("train", "validation", "test")  # numbered 0, 1 and 2 in the published list


def celeba(root: str | None) -> DataSet:
    """64x64 faces in the published splits: 162,770 for training, 19,867 for validation and 19,962 for the test.

    The short side is scaled to 64, and the centre is cropped. The authors give out the files on request.
    """
    listing = Source("celeba/list_eval_partition.txt").locate(root)
    pictures = Source("celeba/img_align_celeba").locate(root)
    files = read_partition(listing, pictures)
    train, validation, test = (
        stored(files[i], SIZE, cache() / f"celeba{SIZE}-{part}.npy") for i, part in enumerate(PARTS)
    )
    return DataSet("celeba", train, validation, test)


def read_partition(listing: Path, pictures: Path) -> list[list[Path]]:
    """Reads the files of each split from a list. Each line has the name of a file and the number of its split."""
    files: list[list[Path]] = [[], [], []]
    try:
        for line in listing.read_text().splitlines():
            name, part = line.split()
            files[int(part)].append(pictures / name)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise UserError(f"{listing} is not the list of CelebA's splits") from error
    require(all(files), f"{listing} is cut short: a split has no files")
    return files
