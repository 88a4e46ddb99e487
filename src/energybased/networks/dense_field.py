"""A multilayer perceptron whose inputs are an example, the level of its noise, and perhaps its class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from energybased.networks.noise_level import NoiseLevel

EMBEDDING = 32  # entries of the embedded noise level


class DenseField(nn.Module):
    """Maps examples, log noise levels and perhaps classes to fields of the shape of the example, and to numbers.

    Linear layers with SiLU between them read the flattened example beside the embedded level. The last layer begins at
    zero.

    Args:
        event: shape of one example.
        hidden: width of each hidden layer.
        outputs: number of fields.
        numbers: number of numbers.
        classes: number of classes that the network sees; their embedding, zero at first, is added to that of the level.
    """

    def __init__(
        self, event: Sequence[int], hidden: Sequence[int], outputs: int = 1, numbers: int = 1, classes: int = 0
    ) -> None:
        super().__init__()
        self.event, self.outputs, d = tuple(event), outputs, math.prod(event)
        self.level = NoiseLevel(EMBEDDING, classes)
        layers = [nn.Linear(a, b) for a, b in pairwise([d + EMBEDDING, *hidden])]
        for layer in layers:  # torch's own initial weights shrink features by half a layer, and learning begins late
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        self.layers = nn.Sequential(*(part for layer in layers for part in (layer, nn.SiLU())))
        self.last = nn.Linear(hidden[-1], outputs * d + numbers)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, u: Tensor, log_sigma: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """u `(batch, *event)`, log noise levels and classes `(batch,)` -> `(batch, outputs, *event)`, and numbers."""
        found = self.last(self.layers(torch.cat([u.flatten(1), self.level(log_sigma, y)], 1)))
        size = self.outputs * math.prod(self.event)
        return found[:, :size].unflatten(1, (self.outputs, *self.event)), found[:, size:]
