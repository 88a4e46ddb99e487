"""Inference by short-run chains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Generator, Tensor, nn

from energybased.energies import Reconstruction
from energybased.energy import Energy
from energybased.errors import UserError, require
from energybased.networks import Encoder
from energybased.objectives.objective import Parts
from energybased.sampling import AnyKernel, Engine, Langevin, Streams, advance, evaluating, fastest


@dataclass(frozen=True)
class Posterior:
    """Short chains on p(z | x), proportional to exp(-prior(z)) N(x; g(z), sigma^2) (Nijkamp et al. 2019).

    They begin at noise or, where there is an encoder, at a draw from it; with no steps they end there too, as the
    inference of a variational autoencoder does.

    Args:
        sigma: standard deviation of pixels in [0, 1] around g(z); 0.15 here is 0.3 on [-1, 1].
        kernel: one transition.
        steps: transitions of a chain.
        engine: how chains are computed; see `sample`. In a recipe "auto" is what a trial before training finds faster.
    """

    sigma: float = 0.15
    kernel: AnyKernel = Langevin.overdamped(0.1)
    steps: int = 20
    engine: Literal["auto", "eager", "compiled"] = "eager"

    def __post_init__(self) -> None:
        require(self.sigma > 0, f"sigma must be positive, got {self.sigma}")
        require(self.steps >= 0, f"steps must not be negative, got {self.steps}")
        require(self.engine in ("auto", "eager", "compiled"), f"no such engine: {self.engine!r}")

    def energy(self, prior: Energy, generator: nn.Module, x: Tensor, known: Tensor | None = None) -> Energy:
        """-log p(z, x) up to a constant, over z `(batch, dim)`, for examples `(batch, *event)`."""
        return prior + Reconstruction(generator, x, self.sigma, known)

    def start(self, parts: Parts, x: Tensor, dim: int, rng: Generator) -> Tensor:
        """Where the chains of examples `(batch, *event)` begin, `(batch, dim)`."""
        if "encoder" not in parts:
            return torch.randn(len(x), dim, generator=rng, dtype=x.dtype, device=rng.device).to(x)
        encoder = cast(Encoder, parts["encoder"])
        with evaluating(encoder), torch.no_grad():
            return encoder.sample(x, rng)

    def sample(self, parts: Parts, prior: Energy, x: Tensor, dim: int, rng: Generator) -> Tensor:
        """One z an example `(batch, dim)`: the ends of chains on this prior with the generator among the parts."""
        start = self.start(parts, x, dim, rng)
        if self.steps == 0:
            return start
        if self.engine == "auto":
            raise UserError("engine='auto' is settled by a recipe before training: here, say 'eager' or 'compiled'")
        energy = self.energy(prior, parts["generator"], x)
        with evaluating(energy):
            return advance(energy, start, self.kernel, self.steps, Streams.of(rng, start), engine=self.engine).x

    def fastest(self, prior: Energy, generator: nn.Module, x: Tensor, start: Tensor) -> Engine:
        """The engine that a trial finds faster."""
        return fastest(self.energy(prior, generator, x), start, self.kernel, self.steps)
