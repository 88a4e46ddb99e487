"""dSprites (Matthey et al. 2017): every combination of shape, size, rotation and position."""

from __future__ import annotations

import torch

from energybased.data.dataset import DataSet, Split, shuffled_split
from energybased.data.domain import Pixels
from energybased.data.files import read_arrays
from energybased.data.source import Source
from energybased.errors import require

FILE = "dsprites_ndarray_co1sh3sc6or40x32x32_64x64.npz"
SHAPE = 1  # the column of latents_classes with the shape: square, ellipse or heart


def dsprites(root: str | None) -> DataSet:
    """737,280 binary 64x64 pictures, labelled by shape. Validation and test split have a hundredth of them each."""
    url = f"https://github.com/google-deepmind/dsprites-dataset/raw/master/{FILE}"
    path = Source(f"dsprites/{FILE}", url, others=(FILE,)).locate(root)
    arrays = read_arrays(path, ("imgs", "latents_classes"))
    images, latents = torch.from_numpy(arrays["imgs"]), torch.from_numpy(arrays["latents_classes"])
    fits = images.ndim == 3 and images.dtype == torch.uint8 and latents.ndim == 2 and len(latents) == len(images)
    require(fits, f"{path} is not the file of dSprites: its arrays have other shapes")
    n = max(len(images) // 100, 1)
    return shuffled_split("dsprites", Split(images[:, None] * 255, latents[:, SHAPE].long()), n, n, Pixels())
