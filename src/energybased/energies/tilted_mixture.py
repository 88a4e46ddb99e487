"""A mixture of Gaussians tilted by a network."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from energybased.energies.gaussian import GaussianMixture
from energybased.energies.tilted import Tilted
from energybased.errors import require


class TiltedMixture(Tilted):
    """E(x) = base(x) + f(x - mean), where the base is a mixture of Gaussians with this mean.

    Fresh chains start at samples of the base. A chain that starts at its own cluster need not cross between clusters,
    which Langevin chains seldom do.

    Args:
        base: the mixture, over flattened events `(batch, dim)`.
        network: maps `(batch, *event)` to `(batch,)`.
    """

    base: GaussianMixture

    @staticmethod
    def fit_mixture(x: Tensor, components: int, noise: float, network: nn.Module, rng: Generator) -> TiltedMixture:
        """Fits the base to data `(n, *event)`; every variance is at least that of the noise.

        Args:
            x: `(n, *event)`, at least as many as components.
            components: number of Gaussians.
            noise: standard deviation of Gaussian noise that is added to the data, in units of x.
            network: the network f.
            rng: draws the seed of the initial k-means.

        Raises:
            UserError: if `noise` is not positive, or there are fewer examples than components.
        """
        require(noise > 0, f"the base of a tilted energy needs data_noise > 0, got {noise}")
        return TiltedMixture(GaussianMixture.fit(x.flatten(1), components, rng, ridge=noise**2), network)

    @staticmethod
    def build_mixture(dim: int, components: int, network: nn.Module) -> TiltedMixture:
        """A base with the tensor shapes of a fitted one, to load a checkpoint into."""
        eye = torch.eye(dim).expand(components, dim, dim)
        return TiltedMixture(GaussianMixture(torch.zeros(components, dim), eye), network)

    def start(self, n: int, generator: Generator) -> Tensor:
        """n fresh starts of chains, `(n, dim)`: samples of the base."""
        return self.base.sample(n, generator)
