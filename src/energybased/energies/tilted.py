"""A Gaussian tilted by a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from energybased.energies.gaussian import GaussianMixture
from energybased.energies.principal import PrincipalGaussian
from energybased.energy import Condition, Energy, energies_by_class
from energybased.errors import require

RANK = 256  # the most principal directions of a base; pictures vary little along the others


class Tilted(Energy):
    """E(x) = base(x) + f(x - mean): the density of a Gaussian, the base, times exp(-f).

    The base makes the energy grow far from the data, so that long chains stay near the data. The network f learns how
    the data differ from a Gaussian.

    Args:
        base: the Gaussian, over flattened events `(batch, dim)`.
        network: maps `(batch, *event)` to `(batch,)`.
    """

    base: PrincipalGaussian | GaussianMixture

    def __init__(self, base: PrincipalGaussian | GaussianMixture, network: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.network = network

    @staticmethod
    def fit(x: Tensor, noise: float, network: nn.Module) -> Tilted:
        """Fits the base to data `(n, *event)` plus Gaussian noise of standard deviation `noise`, in units of x.

        Raises:
            UserError: if `noise` is not positive.
        """
        require(noise > 0, f"the base of a tilted energy needs data_noise > 0, got {noise}")
        flat = x.flatten(1)
        return Tilted(PrincipalGaussian.fit(flat, min(RANK, flat.shape[1]), noise), network)

    @staticmethod
    def build(dim: int, network: nn.Module) -> Tilted:
        """A base with the tensor shapes of a fitted one, to load a checkpoint into. It is a standard normal."""
        rank = min(RANK, dim)
        return Tilted(
            PrincipalGaussian(torch.zeros(dim), torch.eye(dim, rank), torch.ones(rank), torch.tensor(1.0)), network
        )

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        centred = x - self.base.mean.view(x.shape[1:])
        return self.base(x.flatten(1)) + (self.network(centred) if y is None else self.network(centred, y))

    def by_class(self, x: Tensor, classes: int) -> Tensor:
        centred = x - self.base.mean.view(x.shape[1:])
        return self.base(x.flatten(1))[:, None] + energies_by_class(self.network, centred, classes)
