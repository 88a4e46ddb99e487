"""Generators: networks from latent vectors `(batch, dim)` to examples `(batch, *event)`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn

from energybased.networks.dense import SLOPE, dense


class Transposed(NamedTuple):
    """Settings of a transposed convolution.

    Args:
        channels: number of output channels.
        kernel: side of the kernel.
        stride: factor by which height and width grow.
        padding: rows and columns that are cut off on each side of the output.
    """

    channels: int
    kernel: int = 4
    stride: int = 2
    padding: int = 1


# The generators on which latent energy-based models are compared (Pang et al. 2020 and later papers).
SVHN = (Transposed(512, 4, 1, 0), Transposed(256), Transposed(128), Transposed(3))
CELEBA64 = (Transposed(1024, 4, 1, 0), Transposed(512), Transposed(256), Transposed(128), Transposed(3))
CIFAR10 = (Transposed(1024, 8, 1, 0), Transposed(512), Transposed(256), Transposed(3, 3, 1, 1))
MNIST = (Transposed(1024, 7, 1, 0), Transposed(512), Transposed(256), Transposed(1, 3, 1, 1))
LAYOUTS = {"mnist": MNIST, "svhn": SVHN, "cifar10": CIFAR10, "celeba64": CELEBA64}


class Squash(nn.Module):
    """tanh, rescaled from [-1, 1] to [0, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 + 0.5 * x.tanh()


def dense_generator(dim: int, hidden: Sequence[int], event: Sequence[int], bounded: bool = True) -> nn.Sequential:
    """Linear layers with LeakyReLU(0.2) between them, from z `(batch, dim)` to `(batch, *event)`.

    Args:
        dim: number of entries of z.
        hidden: width of each hidden layer.
        event: shape of an example.
        bounded: squash the output into [0, 1], for pixels.
    """
    end = [Squash()] if bounded else []
    return nn.Sequential(*dense([dim, *hidden], math.prod(event)), *end, nn.Unflatten(1, tuple(event)))


def deconvolutional_generator(dim: int, layers: Sequence[Transposed]) -> nn.Sequential:
    """Transposed convolutions from z `(batch, dim)` to pictures `(batch, channels, height, width)` in [0, 1].

    The weights are initialised Xavier-normal (Glorot & Bengio 2010). LeakyReLU(0.2) stands between the layers.

    Args:
        dim: number of entries of z.
        layers: the convolutions; the last one has the channels of the picture.
    """
    made: list[nn.Module] = [nn.Unflatten(1, (dim, 1, 1))]
    for before, layer in pairwise([Transposed(dim), *layers]):
        convolution = nn.ConvTranspose2d(before.channels, layer.channels, layer.kernel, layer.stride, layer.padding)
        nn.init.xavier_normal_(convolution.weight)
        made += [convolution, nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*made[:-1], Squash())
