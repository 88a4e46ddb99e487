"""The reconstruction error of a generator, as an energy over latent vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from energybased.energy import Condition, Energy, Rows
from energybased.errors import UserError, require


class Reconstruction(Energy):
    """E(z) = |x - g(z)|^2 / (2 sigma^2): -log N(x; g(z), sigma^2 I), up to a constant.

    Row i of z belongs to example i. prior + Reconstruction(g, x, sigma) is an energy of the posterior p(z | x)
    (Xiao & Han 2022).

    Args:
        generator: maps z `(batch, dim)` to `(batch, *event)`.
        x: `(batch, *event)`, the examples.
        sigma: standard deviation of x around g(z), in units of x.
        known: boolean, broadcastable to x; the sum runs over the entries that are True. By default, over all.

    Raises:
        UserError: if sigma is not positive or `known` is not boolean, or later if z and x differ in their number of
            rows.
    """

    x: Tensor
    known: Tensor | None

    def __init__(self, generator: nn.Module, x: Tensor, sigma: float, known: Tensor | None = None) -> None:
        super().__init__()
        require(sigma > 0, f"sigma must be positive, got {sigma}")
        require(known is None or known.dtype == torch.bool, "known must be a boolean mask")
        self.generator, self.sigma = generator, sigma
        self.register_buffer("x", x, persistent=False)
        self.register_buffer("known", None if known is None else known.expand(x.shape), persistent=False)

    @property
    def bound(self) -> bool:
        return True

    def select(self, rows: Rows) -> Energy:
        known = None if self.known is None else self.known[rows]
        return Reconstruction(self.generator, self.x[rows], self.sigma, known)

    def expand(self, n: int) -> Energy:
        known = None if self.known is None else self.known.repeat_interleave(n, dim=0)
        return Reconstruction(self.generator, self.x.repeat_interleave(n, dim=0), self.sigma, known)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        made = self.generator(x)
        if made.shape != self.x.shape:
            raise UserError(
                f"the generator maps z of shape {tuple(x.shape)} to {tuple(made.shape)}, but the examples have "
                f"shape {tuple(self.x.shape)}; use select or expand"
            )
        off = made - self.x
        if self.known is not None:
            off = torch.where(self.known, off, 0.0)
        return 0.5 * (off / self.sigma).square().flatten(1).sum(1)

    def extra_repr(self) -> str:
        return f"x={tuple(self.x.shape)}, sigma={self.sigma:g}"
