"""Spectral normalisation of weights (Miyato et al. 2018), in the variant of Du & Mordatch 2019."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

EPSILON = 1e-6


class SpectralNorm(nn.Module):
    """W / sigma, where sigma is the largest singular value of W as a matrix `(out, in x kernel)`.

    Sigma is estimated from a vector u that only `power_iteration` changes. Training calls `power_iteration` once per
    update, so that all chains and energies of one update use the same weight. Sigma is computed in float32, also under
    autocast.

    Args:
        out: number of rows of the matrix.
        capped: divide only if sigma exceeds 1, W min(sigma + 1e-6, 1) / (sigma + 1e-6). This is for weights that begin
            near zero.
    """

    u: Tensor

    def __init__(self, out: int, capped: bool = False) -> None:
        super().__init__()
        self.capped = capped
        self.register_buffer("u", F.normalize(torch.randn(out), dim=0))

    def forward(self, weight: Tensor) -> Tensor:
        device = "cpu" if weight.is_meta else weight.device.type  # autocast does not support meta tensors
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
        """One power iteration for the weight: u <- W W^T u, normalised."""
        matrix = weight.flatten(1)
        self.u.copy_(F.normalize(matrix @ F.normalize(matrix.T @ self.u, dim=0), dim=0))


def normalised(layer: nn.Module, capped: bool = False) -> nn.Module:
    """Normalises the weight of a layer spectrally, in place, and returns the layer."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return parametrize.register_parametrization(layer, "weight", SpectralNorm(len(weight), capped))


def power_iteration(module: nn.Module) -> None:
    """Runs one power iteration for every spectrally normalised weight in the module."""
    for held in module.modules():
        if isinstance(held, parametrize.ParametrizationList) and isinstance(held[0], SpectralNorm):
            original = held.original
            assert isinstance(original, Tensor)
            held[0].iterate(original)
