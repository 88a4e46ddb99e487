"""Two-dimensional shapes that are hard on samplers."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from energybased.energies.analytic import Analytic
from energybased.energy import Condition
from energybased.errors import require


class Ring(Analytic):
    """E(x) = (|x| - radius)^2 / (2 width^2) in the plane.

    Z = 2 pi (width^2 exp(-r^2/2w^2) + r w sqrt(2 pi) Phi(r/w)), from integrating rho exp(-(rho - r)^2/2w^2).
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
        # The tiny floor keeps the gradient at the origin finite; it moves no energy visibly.
        rho = (x.square().sum(1) + 1e-12).sqrt()
        return 0.5 * ((rho - self.radius) / self.width).square()

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        # Rejection: rho exp(-(rho-r)^2/2w^2) lies below its tangent in log rho at the mode.
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
    """E(x) = x1^2 / (2 scale^2) + (x2 - bend (x1^2 - scale^2))^2 / 2 in the plane; log Z = log(2 pi scale)."""

    dim = 2

    def __init__(self, scale: float = 1.0, bend: float = 0.5) -> None:
        super().__init__()
        require(scale > 0, f"scale must be positive, got {scale}")
        self.scale, self.bend = scale, bend

    @property
    def log_z(self) -> Tensor:
        return self.number(math.log(2 * math.pi * self.scale))

    def ridge(self, first: Tensor) -> Tensor:
        """The second entry where the density is largest, for each first entry `(batch,)`."""
        return self.bend * (first.square() - self.scale**2)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        first, second = x.unbind(1)
        return 0.5 * (first / self.scale).square() + 0.5 * (second - self.ridge(first)).square()

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        first, second = self.draw(torch.randn, 2, n, generator=generator)
        return torch.stack([self.scale * first, second + self.ridge(self.scale * first)], 1)

    def extra_repr(self) -> str:
        return f"scale={self.scale:g}, bend={self.bend:g}"
