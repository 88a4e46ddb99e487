"""Data of the user: arrays, data frames, and files that hold them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from energybased.conditions import joined, numbered
from energybased.data.columns import SUFFIXES, Columns, columns_of, features, read_columns
from energybased.data.dataset import DataSet, Split, shuffled_split
from energybased.data.domain import AnyDomain, Pixels, Reals
from energybased.data.folder import read_folder
from energybased.energy import Condition
from energybased.errors import UserError, require

EXAMPLES, LABELS = ("x", "X", "images", "data"), ("y", "Y", "labels", "label", "targets")
MAPPED = 1 << 30  # .npy files of at least this many bytes are memory-mapped
FEWEST = 10  # fewest examples: validation and test split get a tenth of them each


def from_path(
    path: Path | str, size: int | None = None, skip_broken: bool = False, label: str | None = None
) -> DataSet:
    """Reads a `.npy`, `.npz`, `.csv` or `.parquet` file, or a folder of pictures.

    Bytes are pixels, except in an array `(n, columns)`, which is a table of real numbers. Floats are pixels if they
    have the shape of pictures and lie in [0, 1], and real numbers otherwise. The validation and the test split get a
    tenth of the examples each.

    Args:
        path: the file or folder. A `.npz` file holds examples as `x`, `X`, `images` or `data`, and conditions, if there
            are any, as `y`, `Y`, `labels`, `label` or `targets`.
        size: scale and crop the pictures of a folder to size x size.
        skip_broken: leave out pictures that cannot be read.
        label: column of a table, or array of a `.npz` file, that holds the labels.

    Raises:
        UserError: if the path does not exist, or the file is not what its suffix says.
    """
    path = Path(path)
    require(path.exists(), f"there is no data at {path}")
    if path.is_dir():
        x, y, names, notes = read_folder(path, size, skip_broken)
        data = from_arrays(f"{path.name}/", x, y, names=names, where=str(path))
        return data.noted(*notes)
    if path.suffix.lower() in SUFFIXES:
        data = from_columns(path.name, read_columns(path), label, str(path))
    elif path.suffix.lower() in (".npy", ".npz"):
        data = _from_numpy(path, label)
    else:
        known = ".npy, .npz, .csv or .parquet"
        raise UserError(f"{path} is not a {known} file or a folder of pictures")
    unscaled = f"--size applies only to folders of pictures: examples keep the shape {data.event}"
    return data if size is None else data.noted(unscaled)


def from_columns(name: str, columns: Columns, label: str | None = None, where: str = "the frame") -> DataSet:
    """A data set from a table of named columns. The label is a class, and not part of x."""
    require(label is None or label in columns, f"{where} has no column {label!r} to be the label")
    names = [column for column in columns if column != label]
    x = features(columns, names, where, to_learn=True)
    y = None if label is None else columns[label]
    return from_arrays(name, x, y, columns=names, where=where)


def from_arrays(
    name: str,
    x: Any,
    y: Any = None,
    *,
    domain: AnyDomain | None = None,
    columns: Sequence[str] = (),
    names: Sequence[str] = (),
    where: str = "the data",
    file: Path | None = None,
) -> DataSet:
    """A data set from arrays or tensors x `(n, *event)` and, if there are any, conditions y.

    Args:
        name: name of the data set.
        x: the examples.
        y: labels `(n,)` of any type, which are numbered; real vectors `(n, *shape)`; or a tuple of these.
        domain: domain of the values; inferred if not given.
        columns: names of the columns of a table.
        names: names of the classes, if y holds their numbers.
        where: name of the data in messages.
        file: the `.npy` file from which x is memory-mapped, if it is.

    Raises:
        UserError: if x and y have different numbers of rows, or hold values outside the domain.
    """
    x, notes = examples_in(x, where, domain)
    domain = inferred(x) if domain is None else domain
    domain_given = domain if isinstance(domain, Pixels) or domain.mean else None
    (domain if isinstance(domain, Pixels) else replace(domain, columns=tuple(columns))).check(x, where)
    require(len(x) >= FEWEST, f"{where} holds {len(x)} examples; at least {FEWEST} are needed")
    condition, labels = conditions_in(y, len(x), where)
    for known in [] if names else [known for known in labels if known]:
        shown = ", ".join(known[:5]) + " ..." * (len(known) > 5)
        notes += (f"labels {shown} are numbered 0 ... {len(known) - 1}",)
    if isinstance(domain, Reals) and len(x.shape) == 4 and float(x.min()) >= 0 and float(x.max()) > 1:
        notes += ("the values are read as real numbers; if they are pixels, divide them by 255 or store them as bytes",)
    tenth = len(x) // 10
    whole = Split(x if file is not None else x.contiguous(), condition, file=file)
    data = shuffled_split(name, whole, tenth, tenth, domain_given, columns, [names] if names else labels)
    return replace(data, notes=(*notes, *data.notes))


def as_dataset(
    data: Any, name: str = "data", domain: AnyDomain | None = None, label: str | None = None
) -> DataSet | None:
    """A data set from a `DataSet`, an array, a pair (x, y), a data frame or a path; None for any other object."""
    if isinstance(data, DataSet):
        return data
    if isinstance(data, (str, Path)):
        return from_path(data, label=label)
    columns = columns_of(data)
    if columns is not None:
        return from_columns(name, columns, label)
    if isinstance(data, (Tensor, np.ndarray)):
        return from_arrays(name, data, domain=domain)
    pair = isinstance(data, (tuple, list)) and len(data) == 2 and isinstance(data[0], (Tensor, np.ndarray))
    return from_arrays(name, data[0], data[1], domain=domain) if pair else None


def inferred(x: Tensor) -> AnyDomain:
    """The domain of x `(n, *event)`: pixels for bytes and for pictures of floats in [0, 1]; real numbers otherwise."""
    pictures = x.ndim == 4 and x.shape[1] in (1, 3)
    if x.dtype == torch.uint8:
        return Pixels()
    inside = pictures and x.numel() > 0 and float(x.min()) >= 0 and float(x.max()) <= 1
    return Pixels() if inside else Reals()


def read_arrays(path: Path, names: Sequence[str] | None = None) -> dict[str, NDArray[np.generic]]:
    """Reads the arrays of a `.npz` file, all or those in `names`, by name. The array of a `.npy` file is named x."""
    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"x": loaded}
            return {name: loaded[name] for name in (loaded.files if names is None else names)}
    except KeyError as error:
        raise UserError(f"{path} lacks an array: {error.args[0]}") from error
    except (ValueError, OSError, EOFError, AttributeError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: it is cut short or not a NumPy file") from error


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes arrays by name into a `.npz` file. Raises `UserError` if it cannot be written."""
    try:
        np.savez_compressed(path, **arrays)  # type: ignore[arg-type, unused-ignore]
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def named_array(arrays: dict[str, NDArray[Any]], names: Sequence[str], where: str) -> NDArray[Any]:
    """The array with the first of these names that exists."""
    found = next((arrays[name] for name in names if name in arrays), None)
    if found is None:
        raise UserError(f"{where} has no array {names[0]!r}, only {', '.join(arrays) or 'nothing'}")
    return found


def examples_in(x: Any, where: str, domain: AnyDomain | None = None) -> tuple[Tensor, tuple[str, ...]]:
    """Converts x to a tensor `(n, *event)` of bytes or floats, with channels first. Returns it with remarks.

    Bytes `(n, columns)` become floats, unless the domain is given as pixels.
    """
    if not isinstance(x, Tensor):
        array = np.asarray(x)
        require(array.dtype.kind in "fiub", f"{where} must hold numbers, not {array.dtype}")
        wide = array.dtype.kind == "u" and array.dtype != np.uint8
        x = torch.from_numpy(array.astype(np.int64) if wide else np.ascontiguousarray(array))
    x = x.detach().cpu()
    exact = (torch.float16, torch.bfloat16, torch.uint8)  # in float32
    table = x.dtype == torch.uint8 and x.ndim == 2 and not isinstance(domain, Pixels)
    if table or x.dtype not in (torch.uint8, torch.float32):
        x = x.float() if x.dtype in exact else x.double()
    require(x.ndim >= 2 and min(x.shape[1:]) > 0, f"{where} must hold x of shape (n, *event), got {tuple(x.shape)}")
    grey = x.dtype == torch.uint8 or (x.numel() > 0 and float(x.min()) >= 0 and float(x.max()) <= 1)
    if x.ndim == 3 and grey:
        return x[:, None], ("examples were read as greyscale pictures of shape (1, height, width)",)
    if x.ndim == 4 and x.shape[1] not in (1, 3) and x.shape[3] in (1, 3):
        return x.permute(0, 3, 1, 2), ("channels were moved from the last dimension to the first",)
    return x, ("bytes of shape (n, columns) were read as real numbers, not as pixels",) if table else ()


def conditions_in(y: Any, n: int, where: str) -> tuple[Condition | None, list[tuple[str, ...]]]:
    """Converts y to tensors. Returns them with the class names of each part, empty if labels were numbers already."""
    if y is None:
        return None, []
    several = isinstance(y, tuple) or (isinstance(y, list) and any(isinstance(a, (np.ndarray, Tensor)) for a in y))
    parts = [_condition(part, n, where) for part in (y if several else [y])]
    return joined([part for part, _ in parts]), [names for _, names in parts]


def _condition(y: Any, n: int, where: str) -> tuple[Tensor, tuple[str, ...]]:
    if isinstance(y, Tensor):
        y = y.detach().cpu()
        y = y.float() if y.is_floating_point() else y
    try:
        array = np.asarray(y)
    except ValueError as error:
        raise UserError(f"{where} has a y with rows of several lengths") from error
    if array.dtype.kind == "O":
        missing = any(label is None or label != label for label in array.flat)
        require(not missing, f"{where} has labels that are missing")
        array = array.astype(str)
    require(array.ndim >= 1 and len(array) == n, f"{where} has x of {n} rows and y of shape {array.shape}")
    whole = array.dtype.kind != "f" or bool((np.isfinite(array) & (array == np.round(array))).all())
    if array.ndim == 1 and whole:
        empty = array.dtype.kind == "U" and bool((array == "").any())
        require(not empty, f"{where} has labels that are missing")
        return numbered(array)
    require(array.dtype.kind == "f", f"{where} must hold labels (n,) or real conditions (n, *shape), not {array.dtype}")
    vectors = torch.from_numpy(array.astype(np.float32))
    require(bool(vectors.isfinite().all()), f"{where} has conditions that are not finite")
    return (vectors[:, None] if vectors.ndim == 1 else vectors), ()


def _from_numpy(path: Path, label: str | None) -> DataSet:
    where = str(path)
    if path.suffix.lower() == ".npy" and path.stat().st_size >= MAPPED:
        try:
            x = torch.from_numpy(np.load(path, mmap_mode="c"))
        except (ValueError, TypeError) as error:
            raise UserError(f"{path} cannot be read: it is cut short or holds no numbers") from error
        return from_arrays(path.name, x, where=where, file=path.resolve())
    arrays = read_arrays(path)
    labels = LABELS if label is None else (label,)
    y = named_array(arrays, labels, where) if label or any(name in arrays for name in labels) else None
    return from_arrays(path.name, named_array(arrays, EXAMPLES, where), y, where=where)
