"""An energy over flat vectors, in coordinates in which a Gaussian is standard."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from energybased.algebra import Composite
from energybased.energies import PrincipalGaussian
from energybased.energy import Condition, Energy, EnergyLike


class Whitened(Composite):
    """E(m + C^(1/2) z) as a function of z `(batch, dim)`, with the mean m and the covariance C of a Gaussian.

    Chains then need one step size for all directions. All energies lose the same log det C^(1/2) from their log Z, so
    ratios of Z stay as they are. Without a Gaussian z is x, flattened.

    Args:
        energy: maps `(batch, *event)` to `(batch,)`.
        gaussian: the Gaussian, over flattened events, or None.
        event: shape of one example.
    """

    def __init__(self, energy: EnergyLike, gaussian: PrincipalGaussian | None, event: Sequence[int]) -> None:
        super().__init__([energy])
        self.gaussian, self.event = gaussian, tuple(event)

    def rebuild(self, terms: Sequence[Energy]) -> Energy:
        return Whitened(terms[0], self.gaussian, self.event)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        flat = x if self.gaussian is None else self.gaussian.colour(x)
        return self.values(flat.view(len(x), *self.event), y)[0]
