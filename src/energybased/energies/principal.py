"""A Gaussian with few principal directions."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from energybased.energies.analytic import Analytic
from energybased.energies.gaussian import LOG_2PI
from energybased.energy import Condition
from energybased.errors import require


class PrincipalGaussian(Analytic):
    """The Gaussian with covariance U diag(variances) U^T + rest (I - U U^T).

    This is probabilistic principal component analysis (Tipping & Bishop 1999). With d = x - mean,
    E(x) = (|d|^2 / rest + sum_i (1 / variances_i - 1 / rest) (u_i . d)^2) / 2. It takes 2 rank dim
    multiplications, where a full covariance takes dim^2.

    Args:
        mean: `(dim,)`.
        directions: U, `(dim, rank)`, whose columns are orthonormal or zero.
        variances: `(rank,)`, the variances along the directions.
        rest: 0-d, the variance in every other direction.

    Raises:
        UserError: if the shapes do not fit, or a variance is not positive.
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor
    rest: Tensor

    def __init__(self, mean: Tensor, directions: Tensor, variances: Tensor, rest: Tensor) -> None:
        super().__init__(mean)
        self.dim, self.rank = directions.shape
        require(mean.shape == (self.dim,), f"the mean must have shape ({self.dim},), got {tuple(mean.shape)}")
        require(variances.shape == (self.rank,), f"{self.rank} directions need {self.rank} variances")
        positive = variances.is_meta or bool((variances > 0).all() and rest > 0)  # a meta tensor has no values
        require(positive, "the variances of a Gaussian must be positive")
        for name, value in (("mean", mean), ("directions", directions), ("variances", variances), ("rest", rest)):
            self.register_buffer(name, value)

    @staticmethod
    def fit(x: Tensor, rank: int, noise: float = 0.0) -> PrincipalGaussian:
        """Fits vectors by maximum likelihood, in float64; the result is in the dtype of x.

        n vectors span at most n - 1 directions. Further directions are zero and have the variance `rest`.

        Args:
            x: `(n, dim)`.
            rank: number of principal directions, 1 ... dim.
            noise: standard deviation of Gaussian noise that is added to the vectors, in units of x.

        Raises:
            UserError: if the rank is out of range.
        """
        from sklearn.decomposition import PCA  # imported here, because it takes a second

        n, dim = x.shape
        require(0 < rank <= dim, f"rank must be in 1 ... {dim}, got {rank}")
        found = min(rank, n - 1)
        directions = torch.zeros(dim, rank, dtype=torch.float64, device="cpu")
        variances = torch.zeros(rank, dtype=torch.float64, device="cpu")
        d = x.detach().double().cpu()
        mean = d.mean(0)
        d = d - mean
        total = d.square().sum() / max(n - 1, 1)
        if found and total > 0:
            fitted = PCA(found, svd_solver="full" if n < dim else "covariance_eigh").fit(d.numpy())
            directions[:, :found] = torch.from_numpy(fitted.components_.T.copy())
            variances[:found] = torch.from_numpy(fitted.explained_variance_)
        rest = (total - variances.sum()).clamp(min=0) / (dim - rank) if rank < dim else variances[-1]
        variances[found:] = rest
        return PrincipalGaussian(mean.to(x), directions.to(x), (variances + noise**2).to(x), (rest + noise**2).to(x))

    @property
    def log_z(self) -> Tensor:
        return 0.5 * (self.dim * LOG_2PI + self.variances.log().sum() + (self.dim - self.rank) * self.rest.log())

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        d = x - self.mean
        along = d @ self.directions
        return 0.5 * (d.square().sum(1) / self.rest + along.square() @ (1 / self.variances - 1 / self.rest))

    def coordinates(self, x: Tensor) -> Tensor:
        """Principal coordinates U^T (x - mean), `(batch, rank)`, of x `(batch, dim)`."""
        return (x - self.mean) @ self.directions

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        return self.colour(self.draw(torch.randn, n, self.dim, generator=generator))

    def colour(self, z: Tensor) -> Tensor:
        """mean + C^(1/2) z, `(batch, dim)`, with the covariance C: it takes standard normal z `(batch, dim)` to x."""
        along = z @ self.directions
        return self.mean + z * self.rest.sqrt() + along * (self.variances.sqrt() - self.rest.sqrt()) @ self.directions.T

    def whiten(self, x: Tensor) -> Tensor:
        """C^(-1/2) (x - mean), `(batch, dim)`, the inverse of `colour`, for x `(batch, dim)`."""
        d = x - self.mean
        along = d @ self.directions
        return d / self.rest.sqrt() + along * (self.variances.rsqrt() - self.rest.rsqrt()) @ self.directions.T

    def extra_repr(self) -> str:
        return f"dim={self.dim}, rank={self.rank}"
