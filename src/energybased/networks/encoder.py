"""Encoders: networks from examples `(batch, *event)` to a Gaussian over the latent vector of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

from energybased.networks.dense import SLOPE, dense

# Channels of the encoders for the generators of the same names (Yu et al. 2023).
LAYOUTS = {
    "mnist": (128, 256, 512),
    "svhn": (64, 128, 256, 512),
    "cifar10": (64, 128, 256, 512),
    "celeba64": (64, 128, 256, 512, 512),
}


class Encoder(nn.Module):
    """q(z | x) = N(mean(x), diag(std(x)^2)) (Kingma & Welling 2014).

    Args:
        trunk: maps `(batch, *event)` to `(batch, 2 dim)`.
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x `(batch, *event)` -> mean and logarithm of the standard deviation, `(batch, dim)` each."""
        mean, log_std = self.trunk(x).chunk(2, dim=1)
        return mean, log_std

    def sample(self, x: Tensor, rng: Generator) -> Tensor:
        """One sample z of q(z | x) for each example x `(batch, *event)`, `(batch, dim)`; differentiable."""
        mean, log_std = self(x)
        return self.around(mean, log_std, rng)

    @staticmethod
    def around(mean: Tensor, log_std: Tensor, rng: Generator) -> Tensor:
        """mean + exp(log_std) eps with eps from N(0, I), all `(batch, dim)`; differentiable."""
        return mean + log_std.exp() * torch.randn(mean.shape, generator=rng, device=rng.device).to(mean)


class PointEncoder(Encoder):
    """A deterministic encoder, z = mean(x). The standard deviation is 0; half of the trunk's outputs are unused."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, _ = super().forward(x)
        return mean, torch.full_like(mean, -math.inf)


def dense_encoder(event: Sequence[int], hidden: Sequence[int], dim: int) -> Encoder:
    """An encoder of linear layers with LeakyReLU(0.2) between them.

    Args:
        event: shape of an example.
        hidden: width of each hidden layer.
        dim: number of entries of z.
    """
    return Encoder(nn.Sequential(nn.Flatten(), *dense([math.prod(event), *hidden], 2 * dim)))


def convolutional_encoder(event: Sequence[int], channels: Sequence[int], dim: int) -> Encoder:
    """An encoder of one 3x3 convolution and then 4x4 convolutions of stride 2, with instance norms and LeakyReLU(0.2).

    Args:
        event: `(channels, height, width)`.
        channels: number of output channels of each convolution.
        dim: number of entries of z.
    """
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(pairwise([event[0], *channels])):
        convolution = nn.Conv2d(a, b, 4, 2, 1) if i else nn.Conv2d(a, b, 3, 1, 1)
        layers += [convolution, nn.InstanceNorm2d(b, affine=True), nn.LeakyReLU(SLOPE)]
    side = math.prod(event[1:]) // 4 ** (len(channels) - 1)
    return Encoder(nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * side, 2 * dim)))
