"""A generator learned alone, and what all that learn one have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Generator, Tensor

from energybased.energies.gaussian import LOG_2PI
from energybased.latent.posterior import Posterior
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar

VITALS = (
    Vital("mse", 0.0, 4.0, 50, "lower the learning rate"),
    Vital("latent_square", 0.0, 100.0, 50, "take shorter steps on the posterior, or a larger sigma"),
)


@dataclass(frozen=True)
class PosteriorReconstruction:
    """|x - g(z+)|^2 for the generator, z+ samples of the posterior under the prior as it is, which does not learn.

    An encoder, if there is one, learns to begin the chains where they end: -log q(z+ | x).

    Args:
        posterior: how z+ are drawn.
    """

    vitals: ClassVar[tuple[Vital, ...]] = VITALS

    posterior: Posterior = Posterior()

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        return {}

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        prior = cast(StagedPrior, parts["prior"])
        positives = self.posterior.sample(parts, prior.truncated(len(prior.active)), batch.x, prior.dim, rng)
        losses, metrics = reproducing(parts, positives, batch.x)
        return Result(losses, state, metrics)


def reproducing(parts: Parts, positives: Tensor, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What generator, and encoder if there is one, learn from samples z+ `(batch, dim)` of the posterior; metrics."""
    off = (parts["generator"](positives) - x).square().flatten(1)
    losses = {"generator": off.sum(1).mean()}
    if "encoder" in parts:
        mean, log_std = parts["encoder"](x)
        losses["encoder"] = surprise(mean, log_std, positives).mean()
    mse = 4 * off.mean()  # on [-1, 1], as the literature states it
    return losses, {"mse": scalar(mse), "latent_square": scalar(positives.square().mean())}


def surprise(mean: Tensor, log_std: Tensor, z: Tensor) -> Tensor:
    """-log N(z; mean, diag(std^2)) in nats, `(batch,)`."""
    return (0.5 * ((z - mean) / log_std.exp()).square() + log_std + 0.5 * LOG_2PI).sum(1)
