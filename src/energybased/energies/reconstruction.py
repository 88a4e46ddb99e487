"""The reconstruction error of a generator, as an energy over latent vectors."""

from __future__ import annotations

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

    Raises:
        UserError: if sigma is not positive, or later if z and x differ in their number of rows.
    """

    x: Tensor

    def __init__(self, generator: nn.Module, x: Tensor, sigma: float) -> None:
        super().__init__()
        require(sigma > 0, f"sigma must be positive, got {sigma}")
        self.generator, self.sigma = generator, sigma
        self.register_buffer("x", x, persistent=False)

    @property
    def bound(self) -> bool:
        return True

    def select(self, rows: Rows) -> Energy:
        return Reconstruction(self.generator, self.x[rows], self.sigma)

    def expand(self, n: int) -> Energy:
        return Reconstruction(self.generator, self.x.repeat_interleave(n, dim=0), self.sigma)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        made = self.generator(x)
        if made.shape != self.x.shape:
            raise UserError(
                f"the generator maps z of shape {tuple(x.shape)} to {tuple(made.shape)}, but the examples have "
                f"shape {tuple(self.x.shape)}; use select or expand"
            )
        return 0.5 * ((made - self.x) / self.sigma).square().flatten(1).sum(1)

    def extra_repr(self) -> str:
        return f"x={tuple(self.x.shape)}, sigma={self.sigma:g}"
