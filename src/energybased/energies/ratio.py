"""Density ratios as energies."""

from __future__ import annotations

from torch import Tensor, nn

from energybased.energy import Condition, Energy
from energybased.errors import require
from energybased.networks import BatchedMLP


class Ratio(Energy):
    """E(z) = -f(z), where f is the logit of a classifier between samples of q and samples of p.

    With equally many samples of each, the optimal logit is f(z) = log(q(z) / p(z)) (Gutmann & Hyvärinen 2010). If E_p
    is an energy of p, E_p + Ratio(f) is then an energy of q.

    Args:
        module: f, from `(batch, *event)` to `(batch,)`.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return -self.module(x)


class Ratios(Energy):
    """E(z) = -sum_k active_k f_(after + k)(z): the product of several ratios, computed by one batched network.

    Args:
        logits: the networks f, over `(batch, *event)`.
        active: `(k,)`, 1 for a logit that is part of the sum, 0 for one that is not.
        after: number of leading networks that are skipped.

    Raises:
        UserError: if `active` has more entries than there are networks.
    """

    active: Tensor

    def __init__(self, logits: BatchedMLP, active: Tensor, after: int = 0) -> None:
        super().__init__()
        left = logits.count - after
        require(
            active.ndim == 1 and after >= 0 and 1 <= len(active) <= left,
            f"active must have shape (k,) with k in 1 ... {left}, got {tuple(active.shape)}",
        )
        self.logits, self.after = logits, after
        self.register_buffer("active", active, persistent=False)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return -(self.logits(x, slice(self.after, self.after + len(self.active))) * self.active).sum(1)

    def extra_repr(self) -> str:
        return f"{len(self.active)} of {self.logits.count} logits, after={self.after}"
