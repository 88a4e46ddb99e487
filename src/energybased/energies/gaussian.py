"""Gaussian energies."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Generator, Tensor

from energybased.energies.analytic import Analytic
from energybased.energy import Condition
from energybased.errors import UserError, require

LOG_2PI = math.log(2 * math.pi)
RIDGE = 1e-4  # added to every variance of a fitted mixture


class StandardNormal(Analytic):
    """E(x) = |x|^2 / 2 over `(batch, dim)`; log Z = dim/2 log 2 pi.

    >>> StandardNormal(2).log_z
    tensor(1.8379)
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        require(dim > 0, f"dim must be positive, got {dim}")
        self.dim = dim
        self.register_buffer("_log_z", torch.tensor(0.5 * dim * LOG_2PI), persistent=False)

    @property
    def log_z(self) -> Tensor:
        return self.get_buffer("_log_z")

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return 0.5 * x.square().flatten(1).sum(1)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        return torch.randn(n, self.dim, generator=generator)


class Gaussian(Analytic):
    """E(x) = (x - mean)^T covariance^-1 (x - mean) / 2; log Z = log det(2 pi covariance) / 2.

    Args:
        mean: `(dim,)`.
        covariance: `(dim, dim)`, symmetric and positive definite.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        super().__init__()
        self.dim = len(mean)
        require(
            covariance.shape == (self.dim, self.dim),
            f"a mean of {self.dim} entries needs a covariance of shape ({self.dim}, {self.dim}), "
            f"got {tuple(covariance.shape)}",
        )
        require(torch.allclose(covariance, covariance.T), "the covariance of a Gaussian must be symmetric")
        try:
            scale = torch.linalg.cholesky(covariance)
        except RuntimeError:
            raise UserError("the covariance of a Gaussian must be positive definite") from None
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.register_buffer("precision", torch.cholesky_inverse(scale))

    @property
    def log_z(self) -> Tensor:
        return 0.5 * self.dim * LOG_2PI + self.scale.diagonal().log().sum()

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        d = x - self.mean
        return 0.5 * (d @ self.get_buffer("precision") * d).sum(1)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        noise = torch.randn(n, self.dim, generator=generator, dtype=self.mean.dtype)
        return self.mean + noise.to(self.mean) @ self.scale.T


class IsotropicMixture(Analytic):
    """E(x) = -log sum_k weights_k N(x; means_k, scales_k^2 I); log Z = 0.

    Args:
        means: `(components, dim)`.
        scales: standard deviations, a number or `(components,)`.
        weights: `(components,)`, normalised here; equal if not given.
    """

    means: Tensor
    scales: Tensor
    log_weights: Tensor

    def __init__(self, means: Tensor, scales: Tensor | float, weights: Tensor | None = None) -> None:
        super().__init__()
        count, self.dim = means.shape
        scales = torch.as_tensor(scales, dtype=means.dtype).expand(count).clone()
        weights = torch.ones(count, dtype=means.dtype) if weights is None else weights
        require(weights.shape == (count,), f"{count} means need {count} weights, got {tuple(weights.shape)}")
        require(bool((scales > 0).all() and (weights > 0).all()), "scales and weights must be positive")
        self.register_buffer("means", means)
        self.register_buffer("scales", scales)
        self.register_buffer("log_weights", (weights / weights.sum()).log())

    @property
    def log_z(self) -> Tensor:
        return torch.zeros((), dtype=self.means.dtype, device=self.means.device)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        d2 = (x[:, None] - self.means).square().sum(-1)
        log_norm = self.dim * (0.5 * LOG_2PI + self.scales.log())
        return -torch.logsumexp(self.log_weights - log_norm - 0.5 * d2 / self.scales.square(), dim=1)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        k = torch.multinomial(self.log_weights.exp().cpu(), n, replacement=True, generator=generator)
        noise = torch.randn(n, self.dim, generator=generator, dtype=self.means.dtype).to(self.means.device)
        return self.means[k] + self.scales[k, None] * noise


class GaussianMixture(Analytic):
    """E(x) = -log sum_k weights_k N(x; means_k, covariances_k); log Z = 0.

    Args:
        means: `(components, dim)`.
        covariances: `(components, dim, dim)`, symmetric and positive definite.
        weights: `(components,)`, normalised here; equal if not given.
    """

    means: Tensor
    scales: Tensor
    whitening: Tensor
    log_weights: Tensor

    def __init__(self, means: Tensor, covariances: Tensor, weights: Tensor | None = None) -> None:
        super().__init__()
        count, self.dim = means.shape
        fits = covariances.shape == (count, self.dim, self.dim)
        require(fits, f"{count} means of {self.dim} entries need as many covariances, got {tuple(covariances.shape)}")
        weights = torch.ones(count, dtype=means.dtype) if weights is None else weights
        require(weights.shape == (count,), f"{count} means need {count} weights, got {tuple(weights.shape)}")
        require(bool((weights > 0).all()), "weights must be positive")
        require(torch.allclose(covariances, covariances.mT), "the covariances of a mixture must be symmetric")
        try:
            scales = torch.linalg.cholesky(covariances)
        except RuntimeError:
            raise UserError("the covariances of a mixture must be positive definite") from None
        eye = torch.eye(self.dim, dtype=means.dtype, device=means.device).expand_as(scales)
        self.register_buffer("means", means)
        self.register_buffer("scales", scales)
        self.register_buffer("whitening", torch.linalg.solve_triangular(scales, eye, upper=False))
        self.register_buffer("log_weights", (weights / weights.sum()).log())

    @property
    def log_z(self) -> Tensor:
        return torch.zeros((), dtype=self.means.dtype, device=self.means.device)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        white = torch.einsum("kij,bkj->bki", self.whitening, x[:, None] - self.means)
        log_norm = 0.5 * self.dim * LOG_2PI + self.scales.diagonal(dim1=1, dim2=2).log().sum(1)
        return -torch.logsumexp(self.log_weights - log_norm - 0.5 * white.square().sum(-1), dim=1)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        k = torch.multinomial(self.log_weights.exp().cpu(), n, replacement=True, generator=generator)
        noise = torch.randn(n, self.dim, generator=generator, dtype=self.means.dtype).to(self.means.device)
        return self.means[k] + torch.einsum("bij,bj->bi", self.scales[k], noise)

    @classmethod
    def fit(cls, x: Tensor, components: int, generator: Generator | None = None) -> GaussianMixture:
        """So many Gaussians that samples `(n, dim)` are likely under, by scikit-learn's expectation maximisation."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture as Fit

        seed = int(torch.randint(2**31, (), generator=generator))
        fit = Fit(components, reg_covar=RIDGE, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # where it stopped is a mixture as well
            fit.fit(x.double().cpu().numpy())
        return cls(*(torch.tensor(value).to(x) for value in (fit.means_, fit.covariances_, fit.weights_)))
