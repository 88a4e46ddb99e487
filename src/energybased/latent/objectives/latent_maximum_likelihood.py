"""The prior of a latent energy-based model, learned by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Generator, Tensor

from energybased.latent.objectives.posterior_reconstruction import VITALS, reproducing
from energybased.latent.posterior import Posterior
from energybased.latent.short_run import ShortRun
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar


@dataclass(frozen=True)
class LatentMaximumLikelihood:
    """Pang et al. 2020 (LEBM): mean E(z+) - mean E(z-) for the prior, |x - g(z+)|^2 for the generator.

    z+ are samples of the posterior under the prior as it is, z- the ends of short chains on it. The prior is the base
    and one network.

    Args:
        posterior: how z+ are drawn.
        chains: how z- are drawn.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (
        Vital("gap", -100.0, 100.0, 50, "lower the learning rate"),
        *VITALS,
    )

    posterior: Posterior = Posterior()
    chains: ShortRun = ShortRun()

    def init(self, parts: Parts, data: Tensor, rng: Generator) -> State:
        cast(StagedPrior, parts["prior"]).active.fill_(1)
        return {}

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        prior = cast(StagedPrior, parts["prior"])
        positives = self.posterior.sample(parts, prior, batch.x, prior.base.dim, rng)
        negatives = self.chains.sample(prior, prior.base, len(batch.x), rng, batch.x)
        losses, metrics = reproducing(parts, positives, batch.x)
        gap = prior(positives).mean() - prior(negatives).mean()
        return Result({"prior": gap, **losses}, state, {"gap": scalar(gap), **metrics})
