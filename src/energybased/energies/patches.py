"""Distances of patches to nearest patches, as an energy of pictures."""

from __future__ import annotations

from torch import Tensor

from energybased.energies.neighbours import Neighbours
from energybased.energy import Condition, Energy
from energybased.errors import require

MOST = 5  # patches that are the furthest


class Patches(Energy):
    """E(x) = the mean of the 5 largest energies of the patches of x, each the `Neighbours` energy of its features.

    A picture is thus as odd as its oddest places (after PatchCore: Roth et al. 2022, who take the single largest).

    Args:
        points: features of patches of normal pictures, `(n, d)`.
        k: number of nearest patches.

    >>> import torch
    >>> energy = Patches(torch.tensor([[0.0], [1.0], [5.0]]), k=1)
    >>> energy(torch.tensor([[[3.0], [3.0], [1.5]]])).exp()
    tensor([1.2599])
    """

    def __init__(self, points: Tensor, k: int) -> None:
        super().__init__()
        self.near = Neighbours(points, k)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        places = self.places(x)
        return places.topk(min(MOST, places.shape[1]), 1).values.mean(1)

    def places(self, x: Tensor) -> Tensor:
        """The energies `(batch, places)` of the patches of x `(batch, places, d)`."""
        require(x.ndim == 3, f"x must be patches (batch, places, d), got {tuple(x.shape)}")
        return self.near(x.flatten(0, 1)).view(x.shape[:2])
