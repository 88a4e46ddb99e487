"""Distances to nearest neighbours, as an energy that needs no training."""

from __future__ import annotations

import torch
from torch import Tensor

from energybased.energy import Condition, Energy
from energybased.errors import require

CELLS = 2**20  # distances that are held at once
MORE = 16  # points beside the nearest whose exact distances are computed: float32 confuses those of close points
LARGEST = 16  # columns of a group
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
        parts = x.split(max(1, CELLS // len(self.points)))
        return torch.cat([self._mean(part, self._compared(part)) for part in parts]) if len(x) else x.new_empty(0)

    def held_out(self, x: Tensor, points: Tensor) -> Tensor:
        """Energies `(n,)` of rows x `(n, d)`, of which those numbered `points` are the points, compared with others."""
        others = torch.ones(len(x), dtype=torch.bool)
        others[points] = False
        energies = x.new_empty(len(x))
        energies[others], energies[points] = self(x[others]), self.among_points()
        return energies

    def among_points(self) -> Tensor:
        """Energies `(n,)` of the points themselves, each compared with the others."""
        found, first = [], 0
        for part in self.points.split(max(1, CELLS // len(self.points))):
            compared = self._compared(part)
            own = torch.arange(len(part))
            compared[own, own + first] = torch.inf
            found.append(self._mean(part, compared))
            first += len(part)
        return torch.cat(found)

    def _compared(self, x: Tensor) -> Tensor:
        """Squared distances `(batch, n)` of x `(batch, d)` to all points, less |x|^2, in float32: they rank points."""
        points = self.points.detach().float()
        return torch.addmm(points.square().sum(1), x.detach().float(), points.T, alpha=-2)

    def _mean(self, x: Tensor, compared: Tensor) -> Tensor:
        """The energies of x `(batch, d)`, by the exact distances of a few more points than are asked for."""
        count = min(self.k + MORE, len(self.points) - 1)
        chosen = lowest(compared, count)
        near = self.points.index_select(0, chosen.flatten()).view(*chosen.shape, -1)
        squared = (x[:, None] - near).square().sum(2)
        nearest = squared.topk(self.k, 1, largest=False, sorted=False).values
        return nearest.sqrt().mean(1).clamp_min(FLOOR).log()

    def extra_repr(self) -> str:
        return f"points={tuple(self.points.shape)}, k={self.k}"


def lowest(x: Tensor, count: int) -> Tensor:
    """Where the `count` lowest of each row of x `(batch, n)` are, in any order, `(batch, count)`.

    Columns form groups. The lowest entries lie in the groups whose lowest entries are the lowest, so only these are
    searched, which takes half of the time of `topk`. Groups have sqrt(n / count) columns, at most 16.

    >>> lowest(torch.arange(200.0).flip(0)[None], 2).sort().values
    tensor([[198, 199]])
    """
    batch, n = x.shape
    size = min(LARGEST, int((n / count) ** 0.5))
    if size < 2:
        return x.topk(count, 1, largest=False, sorted=False).indices
    groups = n // size
    grouped = x[:, : groups * size].unflatten(1, (size, groups))
    chosen = grouped.amin(1).topk(count, 1, largest=False, sorted=False).indices
    columns = (chosen[:, :, None] + groups * torch.arange(size, device=x.device)).flatten(1)
    rest = torch.arange(groups * size, n, device=x.device).expand(batch, -1)  # columns without a group
    columns = torch.cat([columns, rest], 1)
    return columns.gather(1, x.gather(1, columns).topk(count, 1, largest=False, sorted=False).indices)
