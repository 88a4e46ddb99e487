"""Generators: from a latent vector `(batch, dim)` to a picture `(batch, *event)` with pixels in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn

from energybased.networks.dense import SLOPE, dense


class Transposed(NamedTuple):
    """A transposed convolution."""

    channels: int
    kernel: int = 4
    stride: int = 2
    padding: int = 1


# The networks on which latent energy-based models are compared (Pang et al. 2020 and those after them).
SVHN = (Transposed(512, 4, 1, 0), Transposed(256), Transposed(128), Transposed(3))
CELEBA64 = (Transposed(1024, 4, 1, 0), Transposed(512), Transposed(256), Transposed(128), Transposed(3))
CIFAR10 = (Transposed(1024, 8, 1, 0), Transposed(512), Transposed(256), Transposed(3, 3, 1, 1))
MNIST = (Transposed(1024, 7, 1, 0), Transposed(512), Transposed(256), Transposed(1, 3, 1, 1))
LAYOUTS = {"mnist": MNIST, "svhn": SVHN, "cifar10": CIFAR10, "celeba64": CELEBA64}


class Squash(nn.Module):
    """tanh, brought from [-1, 1] to [0, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 + 0.5 * x.tanh()


def dense_generator(dim: int, hidden: Sequence[int], event: Sequence[int], bounded: bool = True) -> nn.Sequential:
    """Linear layers with LeakyReLU(0.2) between them, from z `(batch, dim)` to `(batch, *event)`.

    Args:
        bounded: squash the output into [0, 1], as pixels need it.
    """
    end = [Squash()] if bounded else []
    return nn.Sequential(*dense([dim, *hidden], math.prod(event)), *end, nn.Unflatten(1, tuple(event)))


def deconvolutional_generator(dim: int, layers: Sequence[Transposed]) -> nn.Sequential:
    """Transposed convolutions, Xavier-normal, with LeakyReLU(0.2) between them; the last makes the picture."""
    made: list[nn.Module] = [nn.Unflatten(1, (dim, 1, 1))]
    for before, layer in pairwise([Transposed(dim), *layers]):
        convolution = nn.ConvTranspose2d(before.channels, layer.channels, layer.kernel, layer.stride, layer.padding)
        nn.init.xavier_normal_(convolution.weight)
        made += [convolution, nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*made[:-1], Squash())
