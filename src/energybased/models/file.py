"""A model in one file: safetensors with a header that is checked before anything is built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from energybased.data import DataSpec
from energybased.errors import UserError, require
from energybased.settings import from_json, to_json
from energybased.version import __version__

FORMAT, FORMAT_VERSION = "energybased-model", 5
FIRST_FORMAT = "energybased-model-1"  # the format of version 0.1, which has no checksum


class Stored(NamedTuple):
    """The contents of a model file."""

    settings: Any  # of the recipe, as JSON
    spec: Any  # of the data, as JSON
    weights: dict[str, Tensor]  # "part/name" -> tensor
    version: int
    fitted: Any = None  # `models.fitted.Fitted` as JSON; None if nothing was fitted, as in files of formats 1 to 3
    library: str = ""  # version of energybased that wrote the file


def write_model(
    file: Path,
    settings: Any,
    spec: DataSpec,
    parts: Mapping[str, nn.Module],
    fitted: Any = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Writes settings, spec, what was fitted, and the weights of all parts into a file.

    Args:
        file: where to.
        settings: of the recipe, as JSON.
        spec: properties of the training data.
        parts: the trained modules, by name.
        fitted: what was fitted to data after training, as JSON.
        dtype: floating-point type in which parameters are stored; their own if not given. Buffers keep theirs: they are
            few, and statistics of the data.

    Raises:
        UserError: if the file cannot be written, or weights are not finite, or not in this type.
    """
    require(dtype is None or dtype.is_floating_point, f"weights are stored in a floating-point type, not in {dtype}")
    weights = {f"{part}/{name}": v for part, m in parts.items() for name, v in m.state_dict().items()}
    learned = {f"{part}/{name}" for part, m in parts.items() for name, _ in m.named_parameters(remove_duplicate=False)}
    weights = {name: v.to(dtype) if dtype and name in learned else v for name, v in weights.items()}
    lost = [name for name, v in weights.items() if v.is_floating_point() and not bool(v.isfinite().all())]
    require(not lost, f"the model has weights that are not finite: {', '.join(lost[:3])}")
    weights = {name: v.detach().cpu().contiguous() for name, v in weights.items()}
    about = {"format": FORMAT, "format_version": str(FORMAT_VERSION), "energybased": __version__}
    header = {**about, "recipe": json.dumps(settings), "spec": json.dumps(to_json(spec)), "fitted": json.dumps(fitted)}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(weights, file, metadata={**header, "sha256": digest(header, weights)})
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot write the model {file}: {error}") from error


def read_model(file: Path) -> Stored:
    """Reads a model file of this format or an earlier one. The checksum of format 2 covers only the recipe and spec.

    Raises:
        UserError: if the file is not a model, has a later format or was changed, or weights are not finite.
    """
    try:
        with safe_open(file, framework="pt") as stored:
            header: Mapping[str, str] = stored.metadata() or {}
            weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(f"{file} is not a model: {error}") from error
    kind = header.get("format")
    require(kind in (FORMAT, FIRST_FORMAT), f"{file} is not a model that energybased exported")
    number = int(header.get("format_version", "1")) if header.get("format_version", "1").isdigit() else 0
    unknown = f"{file} has format_version {header.get('format_version')}; this version reads up to {FORMAT_VERSION}"
    require(1 <= number <= FORMAT_VERSION, unknown)
    try:
        settings, fitted = json.loads(header["recipe"]), None
        if number == 1:
            spec, weights = {"event": json.loads(header["event"])}, {f"energy/{k}": v for k, v in weights.items()}
        else:
            names = ("recipe", "spec") if number == 2 else header.keys() - {"sha256"}
            same = header["sha256"] == digest({name: header[name] for name in names}, weights)
            require(same, f"{file} has changed since it was written: it was cut short or edited")
            spec, fitted = json.loads(header["spec"]), json.loads(header.get("fitted", "null"))
    except (KeyError, json.JSONDecodeError) as error:
        raise UserError(f"the header of {file} cannot be read: {error}") from error
    lost = [name for name, v in weights.items() if v.is_floating_point() and not bool(v.isfinite().all())]
    require(not lost, f"{file} holds weights that are not finite: {', '.join(lost[:3])}")
    return Stored(settings, spec, weights, number, fitted, header.get("energybased", "0.1"))


def read_spec(value: Any, where: str) -> DataSpec:
    """Reads the spec that `to_json` wrote."""
    try:
        return from_json(DataSpec, value)
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"the spec of the data in {where} cannot be read: {error}") from error


def digest(header: Mapping[str, str], weights: Mapping[str, Tensor]) -> str:
    """A SHA-256 hash of a header and weights."""
    sha256 = hashlib.sha256(json.dumps(dict(header), sort_keys=True).encode())
    for name, value in sorted(weights.items()):
        sha256.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        sha256.update(value.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return sha256.hexdigest()
