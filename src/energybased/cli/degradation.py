"""Degradations on the command line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from PIL import Image

from energybased.data.folder import BROKEN, SUFFIXES, as_array, is_transparent
from energybased.errors import UserError, nearest, require
from energybased.models.blur import Blur, LowResolution
from energybased.models.degradation import Degradation, GaussianNoise, Missing, SaltPepper

NOISES = ("salt-pepper", "gaussian")


@dataclass(frozen=True)
class DegradationOptions:
    """What was done to pictures.

    Args:
        mask: a picture of the same size: what is white in it is missing.
        noise: salt-pepper=0.1, if a tenth of the pixels were set to black or white; gaussian=0.2, if noise of this
            standard deviation was added to pixel values in [0, 1]. The latter also says how noisy a blurred or scaled
            picture is.
        blur: width of a Gaussian blur of the picture: its standard deviation in pixels.
        scale: downsampling factor: 2 for a picture of half the model's width and height.
        degrade: the picture is whole, and is first degraded so. To see what restoring can do.
    """

    mask: Path | None = None
    noise: str | None = None
    blur: float | None = None
    scale: int | None = None
    degrade: bool = False

    @property
    def named(self) -> bool:
        """Whether a degradation is named."""
        return any(option is not None for option in (self.mask, self.noise, self.blur, self.scale))

    def read(self, what: Path, event: Sequence[int]) -> tuple[Degradation, tuple[str, ...]]:
        """The degradation of the pictures of shape `event` in the file or folder `what`, and remarks.

        Raises:
            UserError: if the options name none or exclude each other, a number is out of range, or the mask cannot be
                read.
        """
        kinds = [option is not None for option in (self.mask, self.blur, self.scale)]
        require(
            sum(kinds) <= 1, "--mask, --blur and --scale exclude each other: restore one degradation after the other"
        )
        if self.mask is not None:
            require(
                self.noise is None, "--mask and --noise exclude each other: restore one degradation after the other"
            )
            return read_mask(self.mask, what, event)
        kind, value = ("", 0.0) if self.noise is None else read_noise(self.noise)
        sigma = {"sigma": value} if kind else {}
        require(kind != "salt-pepper" or not any(kinds), "--blur and --scale go with --noise gaussian=SIGMA only")
        if self.blur is not None:
            return Blur(self.blur, **sigma), ()
        if self.scale is not None:
            return LowResolution(self.scale, **sigma), ()
        require(kind != "", "no degradation is named")
        return (SaltPepper if kind == "salt-pepper" else GaussianNoise)(value), ()


UNDEGRADED = DegradationOptions()
DegradationGroup = Annotated[DegradationOptions, tyro.conf.arg(name="")]  # so that the options have no prefix


def read_noise(text: str) -> tuple[str, float]:
    """The kind of a noise such as salt-pepper=0.1, and its strength."""
    kind, _, number = text.partition("=")
    require(kind in NOISES, f"there is no noise {kind!r}: {nearest(kind, NOISES)}")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    require(math.isfinite(value), f"--noise {kind} needs a number, as in {kind}=0.2, got {text!r}")
    require(0 < value < 1, f"--noise {kind} needs a number between 0 and 1, got {number}")
    return kind, value


def read_mask(file: Path, what: Path, event: Sequence[int]) -> tuple[Missing, tuple[str, ...]]:
    """The missing entries of pictures of shape `event` from a mask, in which they are white; and remarks.

    The mask has the size of the pictures in the file or folder `what`, and is scaled and cropped as they are, or has
    that of the model.

    Raises:
        UserError: if the mask cannot be read, has another size, or frees nothing or everything.
    """
    require(file.exists(), f"there is no mask at {file}")
    require(len(event) == 3 and event[1] == event[2], f"the model takes no square pictures: its examples are {event}")
    found = {(event[2], event[1])}
    try:
        if what.suffix.lower() in SUFFIXES:
            with Image.open(what) as picture:
                found.add(picture.size)
    except BROKEN as error:
        raise UserError(f"{what} is not a readable picture") from error
    try:
        with Image.open(file) as image:
            size, mode = image.size, image.mode
            clear = is_transparent(image)
            whole = on_black(image) if clear else image
            grey = torch.from_numpy(as_array(whole, event[1], "L").copy())
    except BROKEN as error:
        raise UserError(f"the mask {file} is not a readable picture") from error
    sizes = " or ".join(f"{width} x {height}" for width, height in sorted(found))
    require(size in found, f"the mask is of {size[0]} x {size[1]} pixels, but must be of {sizes}, as the picture")
    free = grey >= 128
    require(bool(free.any()), f"the mask {file} frees nothing: what is white in it is missing")
    require(not bool(free.all()), f"the mask {file} frees everything: use ebm sample")
    notes = [] if mode in ("1", "L") else [f"the mask was converted from {mode} to black and white"]
    notes += [] if size == (event[2], event[1]) else [f"the mask was scaled and cropped to {event[1]} x {event[2]}"]
    between = int(((grey > 0) & (grey < 255)).sum())
    notes += ["what is transparent in the mask counts as black"] if clear else []
    grey_drawn = between > 0 and size == (event[2], event[1])  # scaling makes grey edges
    notes += [f"{between} grey pixels of the mask count as white from 128 on"] if grey_drawn else []
    return Missing(free.expand(tuple(event))), tuple(notes)


def on_black(image: Image.Image) -> Image.Image:
    """A picture whose transparent areas are made black, and so do not count as missing."""
    whole = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", whole.size, "black"), whole).convert("L")
