"""The features of the Inception network of 2015, which published Fréchet distances are computed in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from energybased.data.source import Source
from energybased.errors import UserError, require
from energybased.evaluation.extractors.pictures import colour, resize_2015
from energybased.models.file import digest
from energybased.networks.inception import FEATURES, Inception2015

SIDE, CHUNK = 299, 50  # pixels, and pictures per forward pass
WEIGHTS = Source(
    "inception/pt_inception-2015-12-05-6726825d.pth",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    sha256="6726825d",
    advice="name the file with --inception FILE",
)
HASHED = re.compile(r"-([0-9a-f]{8,64})\.pth")  # a name with the first digits of the file's SHA-256


@dataclass(frozen=True)
class Inception:
    """The Inception network of 2015 and its 2,048 features after the last pooling (Heusel et al. 2017).

    Pictures are rounded to bytes b in 0 ... 255, as files of pictures are, and scaled to 299 pixels by the bilinear
    interpolation of TensorFlow 1; the network sees (b - 128) / 128. A grey picture has three equal channels.

    Args:
        network: the network, in eval mode.
    """

    network: Inception2015

    @property
    def name(self) -> str:
        """`inception`."""
        return "inception"

    @property
    def width(self) -> int:
        """The number of features, 2,048."""
        return FEATURES

    @cached_property
    def digest(self) -> str:
        """A hash of the weights and of the scaling of pictures."""
        how = {"network": self.name, "scaling": "bytes, TensorFlow 1, (b - 128) / 128"}
        return digest(how, self.network.state_dict())

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """Features `(n, 2048)` of pictures `(n, channels, height, width)`, clipped to [0, 1]."""
        parts = (colour(part.to(self.network.fc.weight)).mul(255).round() for part in x.split(CHUNK))
        return torch.cat([self.network((resize_2015(part, SIDE) - 128) / 128) for part in parts])

    @torch.no_grad()
    def classify(self, features: Tensor) -> Tensor:
        """Probabilities `(n, 1008)` for features `(n, 2048)`, without the bias of the logits (Salimans et al. 2016)."""
        weight = self.network.fc.weight
        return (features.to(weight) @ weight.T).softmax(1)


def load_inception(path: Path | None = None, device: torch.device | str = "cpu") -> Inception:
    """The Inception network with the weights of the PyTorch port.

    Args:
        path: file of the weights; found under the data root or in the cache, or downloaded, if not given.
        device: where it computes.

    Raises:
        UserError: if there is no such file, it cannot be downloaded, or it does not hold these weights.
    """
    found = WEIGHTS.locate(None) if path is None else path
    require(found.is_file(), f"there is no file {found}")
    named = HASHED.search(found.name)
    if named is not None:
        with found.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        is_it = sha256.startswith(named[1])
        require(is_it, f"{found} is not the file of its name: its SHA-256 begins with {sha256[:8]}, not {named[1]}")
    network = Inception2015()
    try:
        state: Any = torch.load(found, map_location="cpu", weights_only=True)
    except Exception as error:  # a file of something else can raise anything
        raise UserError(f"{found} is no file of weights that torch can read safely") from error
    check_weights(state, network, str(found))
    network.load_state_dict(state, strict=False)  # what may be missing are counters that only training uses
    return Inception(network.eval().requires_grad_(False).to(device))


def check_weights(state: Any, network: Inception2015, where: str) -> None:
    """Raises `UserError` unless the state has the tensors of the network, in their shapes."""
    require(isinstance(state, Mapping), f"{where} does not hold the weights of the Inception network of 2015")
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items() if value.is_floating_point()}
    wrong = [name for name, shape in shapes.items() if tuple(getattr(state.get(name), "shape", (-1,))) != shape]
    known = network.state_dict().keys()
    wrong += [name for name in state if name not in known]
    require(not wrong, f"{where} does not hold the weights of the Inception network of 2015: {', '.join(wrong[:3])}")
