"""Regularised autoencoders (Ghosh et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator

from energybased.errors import require
from energybased.objectives.objective import Batch, Parts, Result, State, Stateless, Vital, scalar


@dataclass(frozen=True)
class RegularizedAutoencoder(Stateless):
    """RAE-L2 of Ghosh et al. 2020: |x - g(z)|^2 / (2 sigma^2) + |z|^2 / 2 + decay |g|^2, with z the encoder's mean.

    |g|^2 is the sum of the squares of the generator's weights and biases. The penalty keeps the generator smooth, as
    the noise of the encoder does in a variational autoencoder.

    Args:
        sigma: standard deviation of x around g(z), in units of x. It weighs the error against |z|^2.
        decay: weight of |g|^2; it was not tuned.

    Raises:
        UserError: for settings out of range.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (
        Vital("mse", 0.0, 4.0, 50, "lower the learning rate"),
        Vital("latent_square", 0.0, 100.0, 50, "lower the learning rate"),
    )

    sigma: float = 0.15
    decay: float = 1e-3

    def __post_init__(self) -> None:
        require(self.sigma > 0, f"sigma must be positive, got {self.sigma}")
        require(self.decay >= 0, f"decay must not be negative, got {self.decay}")

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        z, _ = parts["encoder"](batch.x)
        off = (parts["generator"](z) - batch.x).square().flatten(1)
        smooth = sum(entries.square().sum() for entries in parts["generator"].parameters())
        loss = off.sum(1).mean() / (2 * self.sigma**2) + 0.5 * z.square().sum(1).mean() + self.decay * smooth
        metrics = {"mse": scalar(4 * off.mean()), "latent_square": scalar(z.square().mean())}
        return Result({"generator": loss, "encoder": loss}, state, metrics)
