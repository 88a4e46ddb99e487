"""Pictures as the networks of ImageNet read them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from energybased.errors import require


def colour(x: Tensor) -> Tensor:
    """Pictures `(n, 3, height, width)` of grey or colour pictures `(n, 1 or 3, height, width)`, clipped to [0, 1]."""
    good = x.ndim == 4 and x.shape[1] in (1, 3)
    require(good, f"features are those of pictures (n, 1 or 3, height, width), got {tuple(x.shape)}")
    return x.clamp(0, 1).expand(-1, 3, -1, -1)


def stretched(x: Tensor, side: int) -> Tensor:
    """Pictures x `(n, channels, height, width)` scaled to `(n, channels, side, side)`, bicubic, in [0, 1]."""
    return interpolate(x, (side, side), mode="bicubic", antialias=True).clamp(0, 1)


def resize_2015(x: Tensor, side: int) -> Tensor:
    """Pictures `(n, channels, side, side)`, by the bilinear interpolation of TensorFlow 1.

    Output pixel i lies at i * height / side of the input's pixels, without the half pixel that others add, and nothing
    is smoothed before.

    Args:
        x: pictures, `(n, channels, height, width)`.
        side: height and width of the result.
    """
    rows, columns = (_weights(size, side, x) for size in x.shape[2:])
    return rows @ x @ columns.T


def _weights(size: int, side: int, like: Tensor) -> Tensor:
    """The weights `(side, size)` of the input's rows in each row of the output."""
    place = torch.arange(side, dtype=torch.float64, device="cpu") * (size / side)
    low = place.long().clamp(max=size - 1)
    share = (place - low)[:, None]
    one = torch.eye(size, dtype=torch.float64, device="cpu")
    return ((1 - share) * one[low] + share * one[(low + 1).clamp(max=size - 1)]).to(like)
