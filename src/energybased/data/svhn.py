"""Street View House Numbers, cropped (Netzer et al. 2011)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from energybased.data.dataset import DataSet, Split, published
from energybased.data.source import Source
from energybased.errors import UserError, require

URL = "http://ufldl.stanford.edu/housenumbers/"
SUMS = {"train": "e26dedcc434d2e4c54c9b2d4a06d8373", "test": "eb5a983be6a315427106f1b164d9cef3"}


def svhn(root: str | None) -> DataSet:
    """32x32 digits of house numbers: 68,257 for training, 5,000 for validation and 26,032 for the test."""
    splits = []
    for part, md5 in SUMS.items():
        file = f"{part}_32x32.mat"
        splits.append(read_mat(Source(f"SVHN/{file}", URL + file, md5, (file,)).locate(root)))
    return published("svhn", splits[0], splits[1], validation=5000)


def read_mat(path: Path) -> Split:
    """Reads X `(32, 32, 3, n)` and y `(n, 1)`. In the file, the digit 0 has the label 10."""
    from scipy.io import loadmat

    try:
        arrays = loadmat(path, variable_names=["X", "y"])
        x, y = arrays["X"], arrays["y"]
    except Exception as error:  # a damaged file can raise anything
        raise UserError(f"{path} is cut short or not a file of SVHN") from error
    fits = x.ndim == 4 and x.dtype == np.uint8 and x.shape[:3] == (32, 32, 3) and y.size == x.shape[3]
    require(fits, f"{path} does not hold 32x32 images in colour with a label each")
    labels = torch.from_numpy(y.astype(np.int64).ravel()) % 10
    return Split(torch.from_numpy(np.ascontiguousarray(x.transpose(3, 2, 0, 1))), labels)
