"""Gaussian energies."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from energybased.energies.analytic import Analytic, device_of
from energybased.energy import Array, Condition, as_floats, as_tensor
from energybased.errors import UserError, require

LOG_2PI = math.log(2 * math.pi)
RIDGE = 1e-4  # added to every variance of a fitted mixture, in units of x^2


class StandardNormal(Analytic):
    """E(x) = |x|^2 / 2 over `(batch, dim)`; log Z = dim/2 log(2 pi).

    Args:
        dim: number of entries of x.

    Raises:
        UserError: if dim is not positive.

    >>> StandardNormal(2).log_z
    tensor(1.8379)
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        require(dim > 0, f"dim must be positive, got {dim}")
        self.dim = dim

    @property
    def log_z(self) -> Tensor:
        return self.number(0.5 * self.dim * LOG_2PI)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return 0.5 * x.square().flatten(1).sum(1)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        return self.draw(torch.randn, n, self.dim, generator=generator)


def cholesky(covariance: Tensor, name: str) -> Tensor:
    """The Cholesky factors of covariances `(..., dim, dim)`. Raises `UserError` if they are not what `name` must be."""
    require(torch.allclose(covariance, covariance.mT), f"{name} must be symmetric")
    try:
        return torch.linalg.cholesky(covariance)
    except RuntimeError:
        raise UserError(f"{name} must be positive definite") from None


class Gaussian(Analytic):
    """E(x) = (x - mean)^T covariance^-1 (x - mean) / 2; log Z = log det(2 pi covariance) / 2.

    Args:
        mean: `(dim,)`.
        covariance: `(dim, dim)`, symmetric and positive definite; it is converted to the dtype of the mean.

    Raises:
        UserError: if the shapes do not fit, or the covariance is not symmetric and positive definite.

    >>> Gaussian([1.0, 0.0], [[2.0, 0.0], [0.0, 1.0]])(torch.zeros(1, 2))
    tensor([0.2500])
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Array | Sequence[float], covariance: Array | Sequence[Sequence[float]]) -> None:
        mean = as_floats(mean)
        covariance = as_tensor(covariance).to(mean)
        super().__init__(mean)
        self.dim = len(mean)
        require(
            covariance.shape == (self.dim, self.dim),
            f"a mean of {self.dim} entries needs a covariance of shape ({self.dim}, {self.dim}), "
            f"got {tuple(covariance.shape)}",
        )
        scale = cholesky(covariance, "the covariance of a Gaussian")
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
        return self.mean + self.draw(torch.randn, n, self.dim, generator=generator) @ self.scale.T


class Components(Analytic):
    """Base class of mixtures of Gaussians. It holds the means and the weights; log Z = 0."""

    means: Tensor
    log_weights: Tensor

    def __init__(self, means: Tensor, weights: Array | None) -> None:
        super().__init__(means)
        count, self.dim = means.shape
        weights = means.new_ones(count) if weights is None else as_tensor(weights).to(means)
        require(weights.shape == (count,), f"{count} means need {count} weights, got {tuple(weights.shape)}")
        require(bool((weights > 0).all()), "weights must be positive")
        self.register_buffer("means", means)
        self.register_buffer("log_weights", (weights / weights.sum()).log())

    @property
    def mean(self) -> Tensor:
        """Mean of the mixture, `(dim,)`."""
        return self.log_weights.exp() @ self.means

    @property
    def log_z(self) -> Tensor:
        return self.number(0.0)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, components={len(self.means)}"


class IsotropicMixture(Components):
    """E(x) = -log sum_k weights_k N(x; means_k, scales_k^2 I); log Z = 0.

    Args:
        means: `(components, dim)`.
        scales: standard deviations in units of x, a number or `(components,)`.
        weights: `(components,)`, which are normalised to sum to 1; equal if not given.

    Raises:
        UserError: if the shapes do not fit, or a scale or weight is not positive.

    >>> IsotropicMixture([[-2.0], [2.0]], 0.5).log_prob(torch.zeros(1, 1))
    tensor([-8.2258])
    """

    scales: Tensor

    def __init__(self, means: Array, scales: Array | float, weights: Array | None = None) -> None:
        super().__init__(as_floats(means), weights)
        scales = as_tensor(scales).to(self.means).expand(len(self.means)).clone()
        require(bool((scales > 0).all()), "scales must be positive")
        self.register_buffer("scales", scales)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        d2 = (x[:, None] - self.means).square().sum(-1)
        log_norm = self.dim * (0.5 * LOG_2PI + self.scales.log())
        return -torch.logsumexp(self.log_weights - log_norm - 0.5 * d2 / self.scales.square(), dim=1)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        k = self.choices(self.log_weights, n, generator)
        return self.means[k] + self.scales[k, None] * self.draw(torch.randn, n, self.dim, generator=generator)


class GaussianMixture(Components):
    """E(x) = -log sum_k weights_k N(x; means_k, covariances_k); log Z = 0.

    Args:
        means: `(components, dim)`.
        covariances: `(components, dim, dim)`, symmetric and positive definite.
        weights: `(components,)`, which are normalised to sum to 1; equal if not given.

    Raises:
        UserError: if the shapes do not fit, a covariance is not symmetric and positive definite, or a weight is not
            positive.

    >>> GaussianMixture([[0.0], [2.0]], [[[1.0]], [[1.0]]]).log_prob(torch.ones(1, 1))
    tensor([-1.4189])
    """

    scales: Tensor
    whitening: Tensor

    def __init__(self, means: Array, covariances: Array, weights: Array | None = None) -> None:
        super().__init__(as_floats(means), weights)
        covariances = as_tensor(covariances).to(self.means)
        fits = covariances.shape == (len(self.means), self.dim, self.dim)
        require(
            fits,
            f"covariances must have shape ({len(self.means)}, {self.dim}, {self.dim}), got {tuple(covariances.shape)}",
        )
        scales = cholesky(covariances, "the covariances of a mixture")
        eye = torch.eye(self.dim, dtype=scales.dtype, device=scales.device).expand_as(scales)
        self.register_buffer("scales", scales)
        self.register_buffer("whitening", torch.linalg.solve_triangular(scales, eye, upper=False))

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        white = torch.einsum("kij,bkj->bki", self.whitening, x[:, None] - self.means)
        log_norm = 0.5 * self.dim * LOG_2PI + self.scales.diagonal(dim1=1, dim2=2).log().sum(1)
        return -torch.logsumexp(self.log_weights - log_norm - 0.5 * white.square().sum(-1), dim=1)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        k = self.choices(self.log_weights, n, generator)
        noise = self.draw(torch.randn, n, self.dim, generator=generator)
        return self.means[k] + torch.einsum("bij,bj->bi", self.scales[k], noise)

    @classmethod
    def fit(
        cls, x: Tensor, components: int, generator: Generator | None = None, ridge: float = RIDGE
    ) -> GaussianMixture:
        """Fits a mixture to samples by maximum likelihood, with scikit-learn's expectation maximisation in float64.

        Args:
            x: `(n, dim)`, with n at least `components`.
            components: number of Gaussians.
            generator: draws the seed of the initial k-means; the global generator of torch if not given.
            ridge: added to every variance, in units of x^2.

        Returns:
            The mixture, on the device and in the dtype of x.

        Raises:
            UserError: if there are fewer samples than components.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture as Fit

        require(1 <= components <= len(x), f"{len(x)} examples are too few for a mixture of {components} Gaussians")
        seed = int(torch.randint(2**31, (), generator=generator, device=device_of(generator)))
        fitted = Fit(components, reg_covar=ridge, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a mixture is valid before it has converged
            fitted.fit(x.detach().double().cpu().numpy())
        return cls(fitted.means_, fitted.covariances_, fitted.weights_).to(x)

    @classmethod
    def join(cls, mixtures: Sequence[GaussianMixture], weights: Array | None = None) -> GaussianMixture:
        """Joins mixtures into one, with weights `(len(mixtures),)`; equal if not given."""
        first = mixtures[0].means
        shares = first.new_ones(len(mixtures)) if weights is None else as_tensor(weights).to(first)
        parts = zip(shares / shares.sum(), mixtures, strict=True)
        return cls(
            torch.cat([m.means for m in mixtures]),
            torch.cat([m.scales @ m.scales.mT for m in mixtures]),
            torch.cat([share * m.log_weights.exp() for share, m in parts]),
        )
