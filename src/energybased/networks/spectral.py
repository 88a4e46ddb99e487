"""Spectral normalisation of a weight, as Du & Mordatch 2019."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

EPSILON = 1e-6


class SpectralNorm(nn.Module):
    """W / sigma, where sigma is the largest singular value of W as a matrix `(out, in x kernel)`.

    Sigma is estimated from a vector u that only `power_iteration` changes. It is called once an update, so that all
    chains and energies of one update use the same weight. Sigma is computed in float32, also under autocast.

    Args:
        out: rows of the matrix.
        capped: divide only if sigma exceeds 1, for weights that are near zero at first:
            W min(sigma + 1e-6, 1) / (sigma + 1e-6).
    """

    u: Tensor

    def __init__(self, out: int, capped: bool = False) -> None:
        super().__init__()
        self.capped = capped
        self.register_buffer("u", F.normalize(torch.randn(out), dim=0))

    def forward(self, weight: Tensor) -> Tensor:
        device = "cpu" if weight.is_meta else weight.device.type  # autocast knows no meta tensors
        with torch.autocast(device, torch.bfloat16, enabled=False):
            matrix = weight.flatten(1)
            with torch.no_grad():
                v = F.normalize(matrix.T @ self.u, dim=0)
            sigma = self.u.clone() @ (matrix @ v)
            if self.capped:
                return weight / (sigma + EPSILON) * (sigma + EPSILON).clamp(max=1)
            return weight / sigma

    @torch.no_grad()
    def iterate(self, weight: Tensor) -> None:
        """One power iteration."""
        matrix = weight.flatten(1)
        self.u.copy_(F.normalize(matrix @ F.normalize(matrix.T @ self.u, dim=0), dim=0))


def normalised(layer: nn.Module, capped: bool = False) -> nn.Module:
    """The layer with its weight spectrally normalised."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return parametrize.register_parametrization(layer, "weight", SpectralNorm(len(weight), capped))


def power_iteration(module: nn.Module) -> None:
    """One power iteration for every spectral norm in the module."""
    for held in module.modules():
        if isinstance(held, parametrize.ParametrizationList) and isinstance(held[0], SpectralNorm):
            original = held.original
            assert isinstance(original, Tensor)
            held[0].iterate(original)
