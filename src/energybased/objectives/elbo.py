"""Variational autoencoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Generator, Tensor

from energybased.errors import require
from energybased.networks import Encoder
from energybased.objectives.objective import Batch, Parts, Result, State, Stateless, Vital, scalar


@dataclass(frozen=True)
class Elbo(Stateless):
    """The negative evidence lower bound, |x - g(z)|^2 / (2 sigma^2) + KL(q(z | x), N(0, I)) (Kingma & Welling 2014).

    z is drawn from q(z | x), the Gaussian of the encoder. The constant of the likelihood is left out.

    Args:
        sigma: standard deviation of x around g(z), in units of x.

    Raises:
        UserError: if sigma is not positive.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (
        Vital("mse", 0.0, 4.0, 50, "lower the learning rate"),
        Vital("divergence", 0.0, 1e4, 50, "lower the learning rate"),
    )

    sigma: float = 0.15

    def __post_init__(self) -> None:
        require(self.sigma > 0, f"sigma must be positive, got {self.sigma}")

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        encoder = cast(Encoder, parts["encoder"])
        mean, log_std = encoder(batch.x)
        z = encoder.around(mean, log_std, rng)
        off = (parts["generator"](z) - batch.x).square().flatten(1)
        far = divergence(mean, log_std).mean()
        loss = off.sum(1).mean() / (2 * self.sigma**2) + far
        metrics = {"mse": scalar(4 * off.mean()), "divergence": scalar(far)}
        return Result({"generator": loss, "encoder": loss}, state, metrics)


def divergence(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, diag(std^2)), N(0, I)) in nats, `(batch,)`, for mean and log_std `(batch, dim)`."""
    return (0.5 * (mean.square() + (2 * log_std).exp() - 1) - log_std).sum(1)
