"""Inference by short-run chains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import torch
from torch import Generator, Tensor, nn

from energybased.energies import Reconstruction
from energybased.energy import Energy
from energybased.errors import require
from energybased.sampling import Engine, Kernel, Langevin, Samples, Streams, advance, evaluating


@dataclass(frozen=True)
class Posterior:
    """Short chains on p(z | x), begun at noise: exp(-prior(z)) N(x; g(z), sigma^2) (Nijkamp et al. 2019).

    Args:
        sigma: standard deviation of pixels in [0, 1] around g(z); half of that on [-1, 1].
        kernel: one transition.
        steps: transitions of a chain.
        engine: how chains are computed; see `sample`.
    """

    sigma: float = 0.15
    kernel: Kernel = Langevin.overdamped(0.1)
    steps: int = 20
    engine: Engine = "eager"

    def __post_init__(self) -> None:
        require(self.sigma > 0, f"sigma must be positive, got {self.sigma}")
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.engine in get_args(Engine), f"engine is 'eager' or 'compiled', got {self.engine!r}")

    def energy(self, prior: Energy, generator: nn.Module, x: Tensor, known: Tensor | None = None) -> Energy:
        """-log p(z, x) up to a constant, over z `(batch, dim)`, for examples `(batch, *event)`."""
        return prior + Reconstruction(generator, x, self.sigma, known)

    def infer(self, energy: Energy, start: Tensor, rng: Generator | Streams) -> Samples:
        """The ends of chains from `start`, `(batch, dim)`."""
        with evaluating(energy):
            return advance(energy, start, self.kernel, self.steps, Streams.of(rng, start), engine=self.engine)

    @staticmethod
    def noise(n: int, dim: int, rng: Generator) -> Tensor:
        """n starts of chains `(n, dim)`: standard normal."""
        return torch.randn(n, dim, generator=rng)
