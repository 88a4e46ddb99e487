"""Examples for a trained model to score: rows, pictures or arrays of the shape of its training data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from energybased.data.columns import SUFFIXES as TABLES
from energybased.data.columns import features, read_columns
from energybased.data.dataset import DataSpec
from energybased.data.files import EXAMPLES, examples_in, named_array, read_arrays
from energybased.data.folder import BROKEN, GREY, SUFFIXES, as_array, is_transparent, pictures_in
from energybased.errors import UserError, require


def examples(
    path: Path, spec: DataSpec, event: tuple[int, ...] | None = None
) -> tuple[list[str], Tensor, tuple[str, ...]]:
    """Reads examples for a model. Returns their names, x `(n, *event)` in the user's units, and remarks.

    The path is a table (.csv, .parquet) with the columns of the training data, a picture, a folder of pictures, or an
    .npy or .npz file with x. Pictures are scaled and cropped to the shape of the training data.

    Args:
        path: the file or folder.
        spec: shape and domain of the training data.
        event: another shape of the examples; if it is given, pictures are not scaled.

    Raises:
        UserError: if the path does not exist, or the examples have another shape or values outside the model's domain.
    """
    require(path.exists(), f"there is nothing at {path}")
    scaled, event, notes = event is None, spec.event if event is None else event, tuple[str, ...]()
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        names, x, notes = _pictures(path, event, scaled)
    elif path.suffix.lower() in TABLES:
        require(len(event) == 1, f"{path} is a table, but the examples of the model are of shape {tuple(event)}")
        columns = read_columns(path)
        known = getattr(spec.domain, "columns", ()) or tuple(columns)
        x = features(columns, known, str(path))
        ignored = [name for name in columns if name not in known]
        notes = (f"columns that the training data do not have are ignored: {', '.join(ignored)}",) if ignored else ()
        names = [str(row) for row in range(len(x))]
    else:
        known_suffix = path.suffix.lower() in (".npy", ".npz")
        require(known_suffix, f"{path} is not a table, a picture, a folder of pictures, or an .npy or .npz file")
        x, notes = examples_in(named_array(read_arrays(path), EXAMPLES, str(path)), str(path), spec.domain)
        if tuple(x.shape[1:]) == (1, *event):  # examples of the model have no channels
            x, notes = x[:, 0], ()
        elif (1, *x.shape[1:]) == tuple(event):
            x = x[:, None]
        names = [str(row) for row in range(len(x))]
    shape = ", ".join(map(str, event))
    require(tuple(x.shape[1:]) == tuple(event), f"{path} must hold x of (n, {shape}), got {tuple(x.shape)}")
    require(len(x) > 0, f"{path} holds no examples")
    spec.domain.check(x, str(path))
    return names, spec.domain.read(x), notes


def _pictures(path: Path, event: Sequence[int], may_scale: bool) -> tuple[list[str], Tensor, tuple[str, ...]]:
    require(len(event) == 3 and event[0] in (1, 3), f"the model takes no pictures: its examples are {tuple(event)}")
    require(event[1] == event[2], f"the model takes pictures of {event[1]} x {event[2]}: give them as an .npy file")
    files = pictures_in(path) if path.is_dir() else [path]
    require(len(files) > 0, f"the folder {path} holds no pictures ({', '.join(SUFFIXES)})")
    x, grey, done = torch.empty(len(files), *event, dtype=torch.uint8), event[0] == 1, Counter[str]()
    for row, file in enumerate(files):
        try:
            with Image.open(file) as image:
                fits = image.size == tuple(event[1:])
                shape = f"{image.size[0]} x {image.size[1]} pixels, not {event[1]} x {event[2]}"
                require(fits or may_scale, f"{file} is a picture of {shape}")
                done.update(changes(image, grey) + [f"scaled and cropped to {event[1]} x {event[2]}"] * (not fits))
                x[row] = torch.from_numpy(as_array(image, event[1], "L" if grey else "RGB").copy())
        except UserError:
            raise
        except BROKEN as error:
            raise UserError(f"{file} is not a readable picture") from error
    names = [str(file.relative_to(path)) if path.is_dir() else file.name for file in files]
    return names, x, tuple(f"{n} of {len(files)} pictures were {what}" for what, n in done.items())


def changes(image: Image.Image, grey: bool) -> list[str]:
    """What reading makes of a picture, in words, if the model takes grey ones or colours.

    An opaque picture of a mode that can have transparent areas has none.
    """
    clear = is_transparent(image) and image.convert("RGBA").getchannel("A").getextrema() != (255, 255)
    words = {
        "converted to greyscale": grey and image.mode not in GREY,
        "converted from greyscale to colour": not grey and image.mode in GREY,
        "converted from 16 bits to 8": image.mode.startswith("I"),
        "transparent in places, which were made white": clear,
        "animated, and only the first frame was used": getattr(image, "n_frames", 1) > 1,
    }
    return [what for what, happens in words.items() if happens]
