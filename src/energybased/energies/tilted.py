"""A Gaussian tilted by a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from energybased.energies.gaussian import Gaussian
from energybased.energy import Condition, Energy
from energybased.errors import require


class Tilted(Energy):
    """E(x) = (x - mean)^T covariance^-1 (x - mean) / 2 + f(x - mean): a Gaussian base, tilted by exp(-f).

    The base keeps chains from drifting off for however long they run; the network learns what is not Gaussian.

    Args:
        mean: `(dim,)`, of the flattened event.
        covariance: `(dim, dim)`.
        network: maps `(batch, dim)` to `(batch,)`.
    """

    def __init__(self, mean: Tensor, covariance: Tensor, network: nn.Module) -> None:
        super().__init__()
        self.base = Gaussian(mean, covariance)
        self.network = network

    @staticmethod
    def fit(x: Tensor, noise: float, network: nn.Module) -> Tilted:
        """The base fitted to data `(n, *event)` with Gaussian noise of standard deviation `noise` > 0 on them."""
        require(noise > 0, f"the base of a tilted energy needs data_noise > 0, got {noise}")
        flat = x.flatten(1).double()
        covariance = torch.atleast_2d(torch.cov(flat.T)) + noise**2 * torch.eye(flat.shape[1], dtype=torch.float64)
        return Tilted(flat.mean(0).float(), covariance.float(), network)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        flat = x.flatten(1)
        centred = flat - self.base.mean
        return self.base(flat) + (self.network(centred) if y is None else self.network(centred, y))
