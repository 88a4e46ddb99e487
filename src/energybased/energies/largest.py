"""The largest of several energies."""

from __future__ import annotations

import torch
from torch import Tensor

from energybased.algebra import Composite
from energybased.energy import Condition, Energy


class Largest(Composite):
    """E(x) = max_i E_i(x).

    Of surprisals -log p_i(x), it is that of the smallest p-value: a row is anomalous if one energy says so.

    >>> from energybased.energies import StandardNormal
    >>> Largest([StandardNormal(1), 2 * StandardNormal(1)])(torch.ones(1, 1))
    tensor([1.])
    """

    def rebuild(self, terms: list[Energy]) -> Energy:  # type: ignore[override]
        return Largest(terms)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return torch.stack(self.values(x, y)).amax(0)
