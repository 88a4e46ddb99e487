"""The energy part of the way from one to another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from energybased.energy import Composite, Condition, Energy
from energybased.errors import require


class Between(Composite):
    """E(x) = (1 - beta) a(x) + beta b(x): the geometric path between two densities.

    Args:
        a: where beta is 0.
        b: where beta is 1.
        beta: in [0, 1].
    """

    def __init__(self, a: Energy, b: Energy, beta: float) -> None:
        super().__init__([a, b])
        require(0 <= beta <= 1, f"beta must be in [0, 1], got {beta}")
        self.beta = beta

    def rebuild(self, terms: Sequence[Energy]) -> Energy:
        return Between(terms[0], terms[1], self.beta)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        a, b = self.values(x, y)
        return torch.lerp(a, b, self.beta)
