"""Pictures from tensors: grids, images and files."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from energybased.errors import UserError

PIXELS = 512  # a picture is enlarged until its longer side is about this long


def grid(x: Tensor, columns: int | None = None) -> Tensor:
    """One picture `(channels, height, width)` with pictures `(n, channels, height, width)` in [0, 1], row by row."""
    n, channels, height, width = x.shape
    columns = math.ceil(math.sqrt(n)) if columns is None else columns
    rows = math.ceil(n / columns)
    x = torch.cat([x, x.new_ones(rows * columns - n, channels, height, width)])
    padded = F.pad(x, (0, 1, 0, 1), value=1.0)
    sheet = padded.view(rows, columns, channels, height + 1, width + 1).permute(2, 0, 3, 1, 4)
    return sheet.reshape(channels, rows * (height + 1), columns * (width + 1))[:, :-1, :-1]


def sheet(x: Tensor, classes: int) -> Tensor:
    """A grid with one row per class, for pictures that cycle through the classes; a square grid without classes."""
    if classes == 0 or len(x) < classes:
        return grid(x)
    columns = len(x) // classes
    rows = x[: columns * classes].unflatten(0, (columns, classes)).transpose(0, 1)
    return grid(rows.flatten(0, 1), columns)


def beside(a: Tensor, b: Tensor) -> Tensor:
    """One picture of two pictures of the same height, side by side."""
    return torch.cat([a, a.new_ones(a.shape[0], a.shape[1], 4), b], dim=2)


def to_image(picture: Tensor) -> Image.Image:
    """An image of a picture `(1 or 3, height, width)` in [0, 1], enlarged by a whole factor to keep pixels sharp."""
    pixels = (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    factor = max(1, PIXELS // max(image.size))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def save_png(picture: Tensor, file: Path) -> None:
    """Writes a picture `(1 or 3, height, width)` in [0, 1] as a PNG file."""
    try:
        to_image(picture).save(file, format="PNG")
    except OSError as error:
        raise UserError(f"cannot write the picture {file}: {error.strerror or error}") from error


def png_uri(picture: Tensor) -> str:
    """The picture as a `data:` address, for a self-contained HTML page."""
    stream = io.BytesIO()
    to_image(picture).save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
