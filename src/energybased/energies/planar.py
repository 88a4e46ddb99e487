"""Two-dimensional densities that are hard for samplers."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from energybased.energies.analytic import Analytic
from energybased.energy import Condition
from energybased.errors import require


class Ring(Analytic):
    """E(x) = (|x| - radius)^2 / (2 width^2) in the plane.

    Integrating rho exp(-(rho - r)^2/2w^2) over rho > 0, with r = radius and w = width, gives
    Z = 2 pi (w^2 exp(-r^2/2w^2) + r w sqrt(2 pi) Phi(r/w)).

    Args:
        radius: in units of x.
        width: standard deviation of the distance from the circle, in units of x.

    Raises:
        UserError: if radius or width is not positive.
    """

    dim = 2

    def __init__(self, radius: float = 2.0, width: float = 0.25) -> None:
        super().__init__()
        require(radius > 0 and width > 0, f"radius and width must be positive, got {radius} and {width}")
        self.radius, self.width = radius, width

    @property
    def log_z(self) -> Tensor:
        r, w = self.radius, self.width
        below = 0.5 * math.erfc(-r / w / math.sqrt(2))  # Phi(r/w)
        z = w * w * math.exp(-0.5 * (r / w) ** 2) + r * w * math.sqrt(2 * math.pi) * below
        return self.number(math.log(2 * math.pi * z))

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        # Adding 1e-12 keeps the gradient at the origin finite and changes the energies negligibly.
        rho = (x.square().sum(1) + 1e-12).sqrt()
        return 0.5 * ((rho - self.radius) / self.width).square()

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        # Rejection sampling of the radius, whose density is rho exp(-(rho-r)^2/2w^2): replacing log rho by its tangent
        # at the mode gives an upper bound, which is a shifted normal.
        mode = 0.5 * (self.radius + math.sqrt(self.radius**2 + 4 * self.width**2))
        kept: list[Tensor] = []
        while sum(map(len, kept)) < n:
            rho = self.radius + self.width**2 / mode + self.width * self.draw(torch.randn, 2 * n, generator=generator)
            accept = rho / mode * torch.exp(1 - rho / mode)
            kept.append(rho[self.draw(torch.rand, 2 * n, generator=generator) < accept])
        rho = torch.cat(kept)[:n]
        angle = 2 * math.pi * self.draw(torch.rand, n, generator=generator)
        return torch.stack([rho * angle.cos(), rho * angle.sin()], 1)

    def extra_repr(self) -> str:
        return f"radius={self.radius:g}, width={self.width:g}"


class Banana(Analytic):
    """E(x) = x1^2 / (2 scale^2) + (x2 - bend (x1^2 - scale^2))^2 / 2 in the plane; log Z = log(2 pi scale).

    Args:
        scale: standard deviation of x1.
        bend: curvature of the ridge; 0 gives a Gaussian.

    Raises:
        UserError: if scale is not positive.
    """

    dim = 2

    def __init__(self, scale: float = 1.0, bend: float = 0.5) -> None:
        super().__init__()
        require(scale > 0, f"scale must be positive, got {scale}")
        self.scale, self.bend = scale, bend

    @property
    def log_z(self) -> Tensor:
        return self.number(math.log(2 * math.pi * self.scale))

    def ridge(self, first: Tensor) -> Tensor:
        """The x2 at which the density is largest, for each x1; both `(batch,)`."""
        return self.bend * (first.square() - self.scale**2)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        first, second = x.unbind(1)
        return 0.5 * (first / self.scale).square() + 0.5 * (second - self.ridge(first)).square()

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        first, second = self.draw(torch.randn, 2, n, generator=generator)
        return torch.stack([self.scale * first, second + self.ridge(self.scale * first)], 1)

    def extra_repr(self) -> str:
        return f"scale={self.scale:g}, bend={self.bend:g}"
