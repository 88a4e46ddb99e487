"""Ratios of densities as energies."""

from __future__ import annotations

from torch import Tensor, nn

from energybased.energy import Condition, Energy
from energybased.errors import require
from energybased.networks import BatchedMLP


class Ratio(Energy):
    """E(z) = -f(z), for the logit f of a classifier: p + Ratio(f) is p(z) exp(f(z)).

    The logit that best tells samples of q from as many of p is log q(z)/p(z) (Gutmann & Hyvärinen 2010), so that a
    prior plus the ratio active from it is q.

    Args:
        module: maps `(batch, *event)` to `(batch,)`.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return -self.module(x)


class Ratios(Energy):
    """E(z) = -sum_k learned_k f_k(z), over logits computed side by side.

    Args:
        logits: the networks.
        active: `(k,)`, 1 for a logit that is part of the sum, 0 for one that is not.
        after: logits before those k.
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
