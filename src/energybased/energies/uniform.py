"""The uniform density on a box."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from energybased.energies.analytic import Analytic
from energybased.energy import Condition
from energybased.errors import require


class Uniform(Analytic):
    """E(x) = 0 on the box low <= x_i <= high, over `(batch, dim)`; log Z = dim log(high - low).

    The energy is 0 outside of the box too: chains need a kernel with its bounds.

    Args:
        dim: number of entries of x.
        low: lower bound of every entry.
        high: upper bound of every entry.

    Raises:
        UserError: if dim is not positive, or the bounds are not in order.
    """

    def __init__(self, dim: int, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        require(dim > 0, f"dim must be positive, got {dim}")
        require(-math.inf < low < high < math.inf, f"bounds must be finite and in order, got {low} and {high}")
        self.dim, self.low, self.high = dim, low, high

    @property
    def log_z(self) -> Tensor:
        return self.number(self.dim * math.log(self.high - self.low))

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return 0 * x.flatten(1).sum(1)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        return self.low + (self.high - self.low) * self.draw(torch.rand, n, self.dim, generator=generator)
