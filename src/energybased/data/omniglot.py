"""Omniglot (Lake et al. 2015): characters of many alphabets, with twenty drawings of each."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from energybased.data.dataset import DataSet, Split, published
from energybased.data.source import Source
from energybased.errors import UserError, require

URL = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/"
SUMS = {
    "images_background": "68d2efa1b9178cc56df9314c21c6e718",
    "images_evaluation": "6b91aef0f799c5bb55b94e3f2daec811",
}


def omniglot(root: str | None) -> DataSet:
    """105x105 drawings in white on black: the background alphabets for training, the evaluation alphabets for the test.

    No character is in both, so labels number the characters of each separately. A twentieth of the background drawings
    is the validation split.
    """
    splits = []
    for name, md5 in SUMS.items():
        places = (f"{name}.zip", f"omniglot/{name}.zip")
        splits.append(read_characters(Source(f"omniglot-py/{name}.zip", URL + f"{name}.zip", md5, places).locate(root)))
    order = torch.randperm(len(splits[0]), generator=torch.Generator().manual_seed(0))
    x, y = splits[0].x[order], splits[0].y
    assert y is not None
    return published("omniglot", Split(x, y[order]), splits[1], len(order) // 20)


def small_omniglot(root: str | None) -> Tensor:
    """The drawings of the five alphabets of the first small background set, `(2720, 1, 105, 105)` bytes."""
    name = "images_background_small1.zip"
    return read_characters(Source(f"omniglot-py/{name}", URL + name, others=(name,)).locate(root)).x


def read_characters(path: Path) -> Split:
    """Reads the drawings of an archive with files alphabet/character/drawing.png. Each character is a class."""
    pictures, labels, classes = [], [], dict[str, int]()
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".png"):
                    with Image.open(io.BytesIO(archive.read(name))) as image:
                        pictures.append(255 - np.asarray(image.convert("L"), dtype=np.uint8))
                    labels.append(classes.setdefault(name.rpartition("/")[0], len(classes)))
    except (zipfile.BadZipFile, OSError, zlib.error) as error:
        raise UserError(f"{path} is cut short or not an archive of drawings") from error
    require(len(pictures) > 0, f"{path} holds no drawings")
    require(len({p.shape for p in pictures}) == 1, f"{path} holds drawings of several sizes")
    return Split(torch.from_numpy(np.stack(pictures))[:, None], torch.tensor(labels))
