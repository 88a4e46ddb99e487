"""The norm of a field, as an energy."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from energybased.energy import Condition, Energy


class FieldNorm(Energy):
    """E(x) = |F(x)|^2, for a module F that maps x `(batch, *event)` to its own shape.

    Where F predicts the noise of its input in units of its standard deviation, F is near sigma grad(-log p), of the
    density p of data with noise. So the energy is low at the modes of p, and high where p changes fast.

    >>> import torch
    >>> FieldNorm(nn.Identity())(torch.ones(1, 3))
    tensor([3.])
    """

    def __init__(self, field: nn.Module) -> None:
        super().__init__()
        self.field = field

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return cast(Tensor, self.field(x)).square().flatten(1).sum(1)
