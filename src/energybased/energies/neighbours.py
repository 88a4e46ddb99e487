"""Distances to nearest neighbours, as an energy that needs no training."""

from __future__ import annotations

import torch
from torch import Tensor

from energybased.energy import Condition, Energy
from energybased.errors import require

CELLS = 2**22  # distances that are held at once
ROUNDING = 100  # in units of the dtype; squared distances below, relative to the norms, are those of equal points
FLOOR = 1e-3  # smallest mean distance, so that identical points have a finite energy


class Neighbours(Energy):
    """E(x) = log of the mean distance from x to the k nearest of given points, at least log 0.001.

    If r is the distance to the k-th nearest of n points in d dimensions, d log r is -log of the density that these
    points show near x, up to a constant (Loftsgaarden & Quesenberry 1965). The mean of k distances varies less.

    Args:
        points: `(n, d)`.
        k: number of neighbours.

    Raises:
        UserError: if there are not more than k points.

    >>> energy = Neighbours(torch.tensor([[0.0], [1.0], [5.0]]), k=2)
    >>> energy(torch.tensor([[0.5], [3.0]])).exp()
    tensor([0.5000, 2.0000])
    """

    points: Tensor

    def __init__(self, points: Tensor, k: int) -> None:
        super().__init__()
        require(1 <= k < len(points), f"{k} neighbours need more than {k} points, got {len(points)}")
        self.k = k
        self.register_buffer("points", points)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        rows = max(1, CELLS // len(self.points))
        return torch.cat([self._mean(self.squared(part)) for part in x.split(rows)]) if len(x) else x.new_empty(0)

    def among_points(self) -> Tensor:
        """Energies `(n,)` of the points themselves, each compared with the others."""
        found, rows = [], max(1, CELLS // len(self.points))
        for first in range(0, len(self.points), rows):
            squared = self.squared(self.points[first : first + rows])
            own = torch.arange(len(squared))
            squared[own, own + first] = torch.inf
            found.append(self._mean(squared))
        return torch.cat(found)

    def squared(self, x: Tensor) -> Tensor:
        """Squared distances `(batch, n)` from x `(batch, d)` to all points."""
        norms = x.square().sum(1, keepdim=True) + self.points.square().sum(1)
        squared = torch.addmm(norms, x, self.points.T, alpha=-2)
        return squared.where(squared > ROUNDING * torch.finfo(x.dtype).eps * norms, 0.0)

    def _mean(self, squared: Tensor) -> Tensor:
        nearest = squared.topk(self.k, 1, largest=False, sorted=False).values
        return nearest.sqrt().mean(1).clamp_min(FLOOR).log()

    def extra_repr(self) -> str:
        return f"points={tuple(self.points.shape)}, k={self.k}"
