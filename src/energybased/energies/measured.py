"""Energies of measurements: how badly x explains what was observed of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from energybased.energy import Condition, Energy, Rows
from energybased.errors import UserError, require

LOG_2PI = math.log(2 * math.pi)


class Measured(Energy):
    """E(x) = |(A x - y) / sigma|^2 / 2: -log N(y; A x, sigma^2), up to a constant.

    Added to the energy of a prior, it gives that of the posterior of x given the measurement y = A x + sigma eps.

    Args:
        y: the measurements, `(batch, *measured)`. Row i of x belongs to row i of y.
        sigma: standard deviation of the noise, in units of y: a number, or a tensor that is broadcastable to y. It is
            infinite at entries that were not measured.
        operator: A, which maps x `(batch, *event)` to `(batch, *measured)`; the identity if not given.

    Raises:
        UserError: if sigma is not positive, or later if A x and y differ in shape.

    >>> Measured(torch.zeros(1, 2), torch.tensor([1.0, torch.inf]))(torch.ones(1, 2))
    tensor([0.5000])
    """

    y: Tensor
    sigma: Tensor

    def __init__(self, y: Tensor, sigma: Tensor | float, operator: nn.Module | None = None) -> None:
        super().__init__()
        sigma = torch.as_tensor(sigma, dtype=y.dtype, device=y.device)
        require(bool((sigma > 0).all()), "the standard deviation of a measurement must be positive")
        self.register_buffer("y", y, persistent=False)
        self.register_buffer("sigma", sigma.expand(y.shape), persistent=False)
        self.operator = nn.Identity() if operator is None else operator

    @property
    def bound(self) -> bool:
        return True

    def select(self, rows: Rows) -> Energy:
        return Measured(self.y[rows], self.sigma[rows], self.operator)

    def expand(self, n: int) -> Energy:
        return Measured(self.y.repeat_interleave(n, 0), self.sigma.repeat_interleave(n, 0), self.operator)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        seen = self.operator(x)
        check_rows(seen, self.y)
        return 0.5 * ((seen - self.y) / self.sigma).square().flatten(1).sum(1)

    def extra_repr(self) -> str:
        return f"y={tuple(self.y.shape)}"


class Contaminated(Energy):
    """E(x) = -sum_i log(kept_i N(y_i; x_i, sigma^2) + 1 - kept_i): measurements of which some are outliers.

    An outlier says nothing about x: it has the density 1, that of a uniform number in [0, 1]. So one entry adds a
    bounded energy, however far y_i is from x_i.

    Args:
        y: the measurements, `(batch, *event)`, in [0, 1] up to noise.
        sigma: standard deviation of the noise of entries that are no outliers, in units of y.
        kept: probability in [0, 1] that an entry is no outlier, `(batch, *event)`.

    Raises:
        UserError: if sigma is not positive, or later if x and y differ in shape.

    >>> Contaminated(torch.zeros(1, 1), 1.0, torch.zeros(1, 1))(torch.ones(1, 1))
    tensor([-0.])
    """

    y: Tensor
    kept: Tensor

    def __init__(self, y: Tensor, sigma: float, kept: Tensor) -> None:
        super().__init__()
        require(sigma > 0, f"the standard deviation of a measurement must be positive, got {sigma}")
        self.sigma = sigma
        self.register_buffer("y", y, persistent=False)
        self.register_buffer("kept", kept, persistent=False)

    @property
    def bound(self) -> bool:
        return True

    def select(self, rows: Rows) -> Energy:
        return Contaminated(self.y[rows], self.sigma, self.kept[rows])

    def expand(self, n: int) -> Energy:
        return Contaminated(self.y.repeat_interleave(n, 0), self.sigma, self.kept.repeat_interleave(n, 0))

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        check_rows(x, self.y)
        log_normal = -0.5 * ((x - self.y) / self.sigma).square() - math.log(self.sigma) - 0.5 * LOG_2PI
        return -torch.logaddexp(self.kept.log() + log_normal, (-self.kept).log1p()).flatten(1).sum(1)

    def extra_repr(self) -> str:
        return f"y={tuple(self.y.shape)}, sigma={self.sigma:g}"


class Through(Energy):
    """E(z) = energy(function(z)): an energy of what a function makes of z.

    Args:
        function: maps z `(batch, dim)` to x `(batch, *event)`.
        energy: the energy of x.

    >>> Through(torch.nn.Flatten(), Measured(torch.zeros(1, 2), 1.0))(torch.ones(1, 2, 1))
    tensor([1.])
    """

    def __init__(self, function: nn.Module, energy: Energy) -> None:
        super().__init__()
        self.function, self.energy = function, energy

    @property
    def bound(self) -> bool:
        return self.energy.bound

    def select(self, rows: Rows) -> Energy:
        return Through(self.function, self.energy.select(rows))

    def expand(self, n: int) -> Energy:
        return Through(self.function, self.energy.expand(n))

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return self.energy(self.function(x), y)


def check_rows(seen: Tensor, y: Tensor) -> None:
    """Raises `UserError` unless what is seen of x has the shape `(batch, *measured)` of the measurements y."""
    if seen.shape != y.shape:
        raise UserError(
            f"the measurements have shape {tuple(y.shape)}, but x gives {tuple(seen.shape)}; use select or expand"
        )
