"""Quality of restored pictures, and simple methods that restore them, as baselines."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor

from energybased.errors import require

Setting = TypeVar("Setting")
TV_WEIGHTS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.2)
MEDIAN_SIZES = (3, 5)
ADAPTIVE_SIZES = (5, 7, 9)
WINDOW = 7  # pixels of the window of structural similarity, in width and height
EXTRA = "pip install 'energybased[restore]'"


def mse(x: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error of each picture `(n, *event)` over all of its pixels, `(n,)`."""
    return (x - truth).square().flatten(1).mean(1)


def psnr(x: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio -10 log10 mse of each picture `(n, *event)` with pixels in [0, 1], in dB, `(n,)`."""
    return -10 * mse(x, truth).clamp(min=1e-10).log10()


def ssim(x: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity of each picture `(n, channels, height, width)` in [0, 1], `(n,)` (Wang et al. 2004).

    The window has 7 x 7 pixels of equal weight, as scikit-image's default.

    Raises:
        UserError: if scikit-image is not installed, or the pictures are smaller than the window.
    """
    measure = skimage("metrics").structural_similarity
    require(
        min(x.shape[2:]) >= WINDOW, f"structural similarity needs pictures of at least 7 x 7, got {tuple(x.shape[2:])}"
    )
    pairs = zip(x.double().cpu().numpy(), truth.double().cpu().numpy(), strict=True)
    return torch.tensor([measure(a, b, data_range=1.0, channel_axis=0) for a, b in pairs])


def mean_filled(y: Tensor, free: Tensor, train: Tensor) -> Tensor:
    """Pictures y `(n, *event)`, with the mean of training pictures where the mask `free`, `event`, is True."""
    return torch.where(free, train.mean(0), y)


def nearest_filled(y: Tensor, free: Tensor, train: Tensor) -> Tensor:
    """Pictures y `(n, *event)`, with the missing part of the training picture whose known part is the nearest.

    Args:
        y: degraded pictures.
        free: boolean, `event`; True where pixels are missing.
        train: training pictures, `(m, *event)`.
    """
    known = ~free.flatten()
    nearest = torch.cdist(y.flatten(1)[:, known], train.flatten(1)[:, known]).argmin(1)
    return torch.where(free, train[nearest], y)


def median_filtered(y: Tensor, size: int) -> Tensor:
    """Pictures y `(n, channels, height, width)` under a median filter of size x size pixels."""
    from scipy.ndimage import median_filter

    return torch.from_numpy(median_filter(y.cpu().numpy(), size=(1, 1, size, size), mode="nearest"))


def adaptive_median_filtered(y: Tensor, largest: int) -> Tensor:
    """Pictures y `(n, channels, height, width)` under an adaptive median filter (Hwang & Haddad 1995).

    The window of a pixel grows from 3 x 3 to largest x largest until its median lies strictly between its extremes.
    Then the pixel becomes the median if it equals one of the extremes, and stays otherwise. Where no window is so, the
    pixel becomes the median of the largest one.
    """
    import numpy as np
    from scipy.ndimage import maximum_filter, median_filter, minimum_filter

    pixels = y.cpu().numpy()
    filters = minimum_filter, median_filter, maximum_filter
    x, decided = pixels.copy(), np.zeros(pixels.shape, bool)
    for size in range(3, largest + 1, 2):
        low, median, high = (f(pixels, size=(1, 1, size, size), mode="nearest") for f in filters)
        last = size == largest
        now = ~decided & ((low < median) & (median < high) | last)
        extreme = (pixels == low) | (pixels == high) | (median == low) | (median == high)
        x[now & extreme] = median[now & extreme]
        decided |= now
    return torch.from_numpy(x)


def total_variation(y: Tensor, weight: float) -> Tensor:
    """Pictures y `(n, channels, height, width)` with less total variation (Chambolle 2004), by scikit-image.

    Raises:
        UserError: if scikit-image is not installed.
    """
    denoise = skimage("restoration").denoise_tv_chambolle
    made = [torch.from_numpy(denoise(picture, weight=weight, channel_axis=0)) for picture in y.cpu().numpy()]
    return torch.stack(made).to(y)


def best_setting(
    method: Callable[[Tensor, Setting], Tensor], settings: Iterable[Setting], y: Tensor, truth: Tensor
) -> Setting:
    """The setting with which a method has the largest mean PSNR on degraded pictures y `(n, *event)`."""
    return max(settings, key=lambda setting: float(psnr(method(y, setting), truth).mean()))


def skimage_installed() -> bool:
    """Whether scikit-image is installed."""
    return importlib.util.find_spec("skimage") is not None


def skimage(part: str) -> Any:
    """A module of scikit-image. Raises `UserError` if it is not installed."""
    require(skimage_installed(), f"this needs scikit-image: {EXTRA}")
    return importlib.import_module(f"skimage.{part}")
