"""Maximum likelihood for a generator with an energy-based prior, LEBM (Pang et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Generator

from energybased.latent.objectives.posterior_reconstruction import VITALS, reconstruction_losses
from energybased.latent.posterior import Posterior
from energybased.latent.prior import EnergyPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Stateless, Vital, scalar


@dataclass(frozen=True)
class LatentMaximumLikelihood(Stateless):
    """mean E(z+) - mean E(z-) for the prior, and |x - g(z+)|^2 for the generator (Pang et al. 2020).

    z+ are samples of the posterior under the prior. z- are samples of the prior by its short chains.

    Args:
        posterior: settings by which z+ are sampled.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (
        Vital("gap", -100.0, 100.0, 50, "lower the learning rate"),
        *VITALS,
    )

    posterior: Posterior = Posterior()

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        prior = cast(EnergyPrior, parts["prior"])
        positives = self.posterior.sample(parts, prior, batch.x, prior.dim, rng)
        negatives = prior.sample(len(batch.x), rng)
        losses, metrics = reconstruction_losses(parts, positives, batch.x)
        gap = prior(positives).mean() - prior(negatives).mean()
        return Result({"prior": gap, **losses}, state, {"gap": scalar(gap), **metrics})
