"""A Gaussian tilted by a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from energybased.energies.principal import PrincipalGaussian
from energybased.energy import Condition, Energy
from energybased.errors import require

RANK = 256  # directions of the base at the most; in the others, pictures vary little


class Tilted(Energy):
    """E(x) = base(x) + f(x - mean): a Gaussian base, tilted by exp(-f).

    The base keeps chains from drifting off for however long they run; the network learns what is not Gaussian.

    Args:
        base: over vectors `(batch, dim)`, of the flattened event.
        network: maps `(batch, *event)` to `(batch,)`.
    """

    def __init__(self, base: PrincipalGaussian, network: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.network = network

    @staticmethod
    def fit(x: Tensor, noise: float, network: nn.Module) -> Tilted:
        """The base fitted to data `(n, *event)` with Gaussian noise of standard deviation `noise` > 0 on them."""
        require(noise > 0, f"the base of a tilted energy needs data_noise > 0, got {noise}")
        flat = x.flatten(1)
        return Tilted(PrincipalGaussian.fit(flat, min(RANK, flat.shape[1]), noise), network)

    @staticmethod
    def build(dim: int, network: nn.Module) -> Tilted:
        """A base in which weights can be loaded."""
        rank = min(RANK, dim)
        return Tilted(
            PrincipalGaussian(torch.zeros(dim), torch.eye(dim, rank), torch.ones(rank), torch.tensor(1.0)), network
        )

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        centred = x - self.base.mean.view(x.shape[1:])
        return self.base(x.flatten(1)) + (self.network(centred) if y is None else self.network(centred, y))
