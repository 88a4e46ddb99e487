"""A mixture of Gaussians over the leading principal components."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from energybased.energies.analytic import Analytic
from energybased.energies.gaussian import LOG_2PI, RIDGE, GaussianMixture
from energybased.energies.principal import PrincipalGaussian
from energybased.energy import Condition
from energybased.errors import require


class PrincipalMixture(Analytic):
    """A mixture of Gaussians over the leading principal components, times an isotropic Gaussian over all others.

    With d = x - mean, z = U^T d and r = d - U z, E(x) = -log mixture(z) + |r|^2 / (2 rest)
    + (dim - rank)/2 log(2 pi rest); log Z = 0. `rest` is the noise variance of probabilistic principal component
    analysis (Tipping & Bishop 1999).

    Args:
        base: gives the mean, the directions U and the variance `rest`; its variances along U are not used. The
            directions must be orthonormal, and fewer than the dimension.
        mixture: a density over z `(batch, rank)`.

    Raises:
        UserError: if the dimension of the mixture is not the number of directions, or no direction is left for `rest`.
    """

    def __init__(self, base: PrincipalGaussian, mixture: GaussianMixture) -> None:
        super().__init__(base.mean)
        self.dim = base.dim
        require(mixture.dim == base.rank, f"{base.rank} directions need a mixture over as many entries")
        require(base.rank < base.dim, f"rank must be below {base.dim}, got {base.rank}")
        self.base, self.mixture = base, mixture

    @staticmethod
    def fit(
        x: Tensor, components: int, rank: int, generator: Generator | None = None, ridge: float = RIDGE
    ) -> PrincipalMixture:
        """Fits principal directions to vectors, then a mixture to their principal coordinates, both in float64.

        Args:
            x: `(n, dim)`.
            components: number of Gaussians.
            rank: number of principal directions, below n and dim.
            generator: see `GaussianMixture.fit`.
            ridge: added to every variance of the mixture, in units of x^2.

        Raises:
            UserError: if the rank is out of range, or there are fewer vectors than components.
        """
        require(0 < rank < min(x.shape), f"rank must be in 1 ... {min(x.shape) - 1}, got {rank}")
        exact = x.detach().double()
        base = PrincipalGaussian.fit(exact, rank)
        mixture = GaussianMixture.fit(base.coordinates(exact), components, generator, ridge)
        return PrincipalMixture(base, mixture).to(x)

    @property
    def log_z(self) -> Tensor:
        return self.number(0.0)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        z = self.base.coordinates(x)
        left = x - self.base.mean - z @ self.base.directions.T
        rest = self.base.rest
        log_norm = 0.5 * (self.dim - self.base.rank) * (LOG_2PI + rest.log())
        return self.mixture(z) + 0.5 * left.square().sum(1) / rest + log_norm

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        z, u = self.mixture.sample(n, generator), self.base
        noise = self.draw(torch.randn, n, self.dim, generator=generator)
        return u.mean + z @ u.directions.T + u.rest.sqrt() * (noise - noise @ u.directions @ u.directions.T)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, rank={self.base.rank}, components={len(self.mixture.means)}"
