"""Spectral normalisation of a weight, as Du & Mordatch 2019."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

EPSILON = 1e-6


class SpectralNorm(nn.Module):
    """W / sigma, with sigma the largest singular value of W seen as `(out, in x kernel)`, or W where that is capped.

    One power iteration for each time the weight is computed in train mode; the iterate takes no gradient.

    Args:
        out: rows of the matrix.
        capped: W / (sigma + 1e-6) min(sigma + 1e-6, 1): the norm is at most one. For weights that begin near zero.
    """

    u: Tensor

    def __init__(self, out: int, capped: bool = False) -> None:
        super().__init__()
        self.capped = capped
        self.register_buffer("u", F.normalize(torch.randn(out), dim=0))

    def forward(self, weight: Tensor) -> Tensor:
        matrix = weight.flatten(1)
        with torch.no_grad():
            v = F.normalize(matrix.T @ self.u, dim=0)
            if self.training:
                self.u.copy_(F.normalize(matrix @ v, dim=0))
            u = self.u.clone()
        sigma = u @ (matrix @ v)
        if self.capped:
            return weight / (sigma + EPSILON) * (sigma + EPSILON).clamp(max=1)
        return weight / sigma


def normalised(layer: nn.Module, capped: bool = False) -> nn.Module:
    """The layer with its weight spectrally normalised."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return parametrize.register_parametrization(layer, "weight", SpectralNorm(len(weight), capped))
