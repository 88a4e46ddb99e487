"""Linear layers of generators and encoders."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

SLOPE = 0.2


def dense(widths: Sequence[int], last: int) -> list[nn.Module]:
    """Linear layers from `widths[0]` through the other widths to `last`, with LeakyReLU(0.2) between them."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.LeakyReLU(SLOPE)]
    return [*layers, nn.Linear(widths[-1], last)]
