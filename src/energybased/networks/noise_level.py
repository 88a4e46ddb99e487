"""A noise level, and perhaps a class, as the input of a network."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FASTEST = 16.0  # largest angular frequency of the features, in units of 1 / log sigma


class NoiseLevel(nn.Module):
    """Embeds log noise levels `(batch,)` as vectors `(batch, width)`: sines and cosines, then two linear layers.

    Args:
        width: number of entries.
        classes: number of classes, whose embeddings are added; there is one more class, for none. 0 without classes.
    """

    frequencies: Tensor

    def __init__(self, width: int, classes: int = 0) -> None:
        super().__init__()
        self.label = nn.Embedding(classes + 1, width) if classes else None
        if self.label is not None:
            nn.init.zeros_(self.label.weight)
        frequencies = torch.logspace(math.log10(0.25), math.log10(FASTEST), width // 2)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, log_sigma: Tensor, y: Tensor | None = None) -> Tensor:
        angles = log_sigma[:, None] * self.frequencies
        with torch.autocast(log_sigma.device.type, enabled=False):  # of little cost, and rounding would move the level
            out: Tensor = self.layers(torch.cat([angles.sin(), angles.cos()], 1))
            if self.label is not None:
                out = out + self.label(y)
        return out
