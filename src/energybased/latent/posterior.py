"""Inference of latent vectors by short-run MCMC (Nijkamp et al. 2019)."""

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
from energybased.sampling import AnyKernel, Engine, Langevin, Streams, advance, fastest, frozen


@dataclass(frozen=True)
class Posterior:
    """Short chains on p(z | x), proportional to exp(-prior(z)) N(x; g(z), sigma^2) (Nijkamp et al. 2019).

    The chains start at standard normal noise or, if there is an encoder, at a sample of it. With steps=0 the sample of
    the encoder is the result, as in a variational autoencoder.

    Args:
        sigma: standard deviation of x around g(z), in units of x. For pixels in [0, 1], 0.15 corresponds to 0.3 on the
            scale [-1, 1] of the literature.
        kernel: one transition.
        steps: transitions of a chain.
        engine: how chains are computed; see `sample`. "auto" is for recipes, which choose the faster engine by a trial
            before training.

    Raises:
        UserError: for settings out of range.
    """

    sigma: float = 0.15
    kernel: AnyKernel = Langevin.overdamped(0.1)
    steps: int = 20
    engine: Literal["auto", "eager", "compiled"] = "eager"

    def __post_init__(self) -> None:
        require(self.sigma > 0, f"sigma must be positive, got {self.sigma}")
        require(self.steps >= 0, f"steps must not be negative, got {self.steps}")
        require(self.engine in ("auto", "eager", "compiled"), f"engine is auto, eager or compiled, got {self.engine!r}")

    def energy(self, prior: Energy, generator: nn.Module, x: Tensor) -> Energy:
        """-log p(z, x) up to a constant, over z `(batch, dim)`, for examples x `(batch, *event)`.

        Args:
            prior: the energy of the prior.
            generator: g.
            x: the examples.
        """
        return prior + Reconstruction(generator, x, self.sigma)

    def start(self, parts: Parts, x: Tensor, dim: int, rng: Generator) -> Tensor:
        """The first states `(batch, dim)` of the chains for examples x `(batch, *event)`."""
        if "encoder" not in parts:
            return torch.randn(len(x), dim, generator=rng, dtype=x.dtype, device=rng.device).to(x)
        with torch.no_grad():
            return frozen(cast(Encoder, parts["encoder"])).sample(x, rng)

    def sample(self, parts: Parts, prior: Energy, x: Tensor, dim: int, rng: Generator) -> Tensor:
        """One z `(batch, dim)` for each example x `(batch, *event)`: the last states of the chains.

        Args:
            parts: the generator, and the encoder if there is one.
            prior: the energy of the prior.
            x: the examples.
            dim: number of entries of z.
            rng: source of random numbers.

        Raises:
            UserError: if the engine is "auto".
        """
        start = self.start(parts, x, dim, rng)
        if self.steps == 0:
            return start
        if self.engine == "auto":
            raise UserError("engine='auto' is settled by recipes only: use 'eager' or 'compiled' here")
        energy = self.energy(prior, parts["generator"], x)
        return advance(energy, start, self.kernel, self.steps, Streams.of(rng, start), engine=self.engine).x

    def fastest(self, prior: Energy, generator: nn.Module, x: Tensor, start: Tensor) -> Engine:
        """The engine that a trial finds faster, for examples x `(batch, *event)` and first states `(batch, dim)`."""
        return fastest(self.energy(prior, generator, x), start, self.kernel, self.steps)
