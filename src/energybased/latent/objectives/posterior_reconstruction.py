"""Training a generator under a fixed prior, and the losses that all objectives with a generator share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Generator, Tensor

from energybased.energies.gaussian import LOG_2PI
from energybased.latent.posterior import Posterior
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Stateless, Vital, scalar

VITALS = (
    Vital("mse", 0.0, 4.0, 50, "lower the learning rate"),
    Vital("latent_square", 0.0, 100.0, 50, "take shorter steps on the posterior, or a larger sigma"),
)


@dataclass(frozen=True)
class PosteriorReconstruction(Stateless):
    """|x - g(z+)|^2 for the generator, with z+ sampled from the posterior under the prior, which is not trained.

    An encoder q, if there is one, is trained with -log q(z+ | x), so that chains start close to where they end.

    Args:
        posterior: settings by which z+ are sampled.
    """

    vitals: ClassVar[tuple[Vital, ...]] = VITALS

    posterior: Posterior = Posterior()

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        prior = cast(StagedPrior, parts["prior"])
        positives = self.posterior.sample(parts, prior.truncated(len(prior.active)), batch.x, prior.dim, rng)
        losses, metrics = reconstruction_losses(parts, positives, batch.x)
        return Result(losses, state, metrics)


def reconstruction_losses(parts: Parts, positives: Tensor, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Losses of the generator and the encoder, if there is one, and metrics.

    Args:
        parts: the networks.
        positives: z+, `(batch, dim)`, samples of the posterior.
        x: examples `(batch, *event)`.
    """
    off = (parts["generator"](positives) - x).square().flatten(1)
    losses = {"generator": off.sum(1).mean()}
    if "encoder" in parts:
        mean, log_std = parts["encoder"](x)
        losses["encoder"] = negative_log_prob(mean, log_std, positives).mean()
    mse = 4 * off.mean()  # for pixels on [-1, 1], as in the literature
    return losses, {"mse": scalar(mse), "latent_square": scalar(positives.square().mean())}


def negative_log_prob(mean: Tensor, log_std: Tensor, z: Tensor) -> Tensor:
    """-log N(z; mean, diag(std^2)) in nats, `(batch,)`, for mean, log_std and z `(batch, dim)`."""
    return (0.5 * ((z - mean) / log_std.exp()).square() + log_std + 0.5 * LOG_2PI).sum(1)
