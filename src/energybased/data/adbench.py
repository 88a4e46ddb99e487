"""Tables of ADBench (Han et al. 2022), with labels that say which rows are anomalies."""

from __future__ import annotations

from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from energybased.data.source import Source
from energybased.errors import UserError, nearest, require

URL = "https://raw.githubusercontent.com/Minqi824/ADBench/main/adbench/datasets/Classical/"
NUMBERED = (  # in the order of their numbers, 1 to 47
    "ALOI annthyroid backdoor breastw campaign cardio Cardiotocography celeba census cover donors fault fraud glass "
    "Hepatitis http InternetAds Ionosphere landsat letter Lymphography magic.gamma mammography mnist musk optdigits "
    "PageBlocks pendigits Pima satellite satimage-2 shuttle skin smtp SpamBase speech Stamps thyroid vertebral "
    "vowels Waveform WBC WDBC Wilt wine WPBC yeast"
)
NAMES = {name: f"{number}_{name}" for number, name in enumerate(NUMBERED.split(" "), 1)}


def adbench(name: str, root: str | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows `(n, columns)` in float64 and labels `(n,)`, 1 for anomalies, of a table by its name, such as "cardio".

    Raises:
        UserError: if there is no such table, or its file cannot be found, downloaded or read.
    """
    require(name in NAMES, f"there is no table {name!r} in ADBench: {nearest(name, NAMES)}")
    path = source(name).locate(root)
    try:
        with np.load(path, allow_pickle=False) as file:
            x, y = file["X"].astype(np.float64), file["y"].astype(np.int64).ravel()
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise UserError(f"{path} is cut short or not a table of ADBench") from error
    good = x.ndim == 2 and len(x) == len(y) and bool(np.isfinite(x).all()) and bool(np.isin(y, (0, 1)).all())
    require(good, f"{path} is not a table of ADBench: X is (n, columns) and finite, y holds 0 and 1")
    return x, y


def source(name: str) -> Source:
    """The file of a table."""
    file = f"{NAMES[name]}.npz"
    return Source(f"tabular_adbench/{file}", URL + file, others=(f"adbench/{file}", file))
