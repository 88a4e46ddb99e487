"""Energy discrepancy in latent space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Generator

from energybased.latent.posterior import Posterior
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.energy_discrepancy import EnergyDiscrepancy
from energybased.objectives.objective import Batch, Parts, Result, State, Vital


@dataclass(frozen=True)
class LatentDiscrepancy:
    """Schröder et al. 2023: the energy discrepancy of the prior on samples z+ of the posterior, without chains on it.

    z+ are samples of the posterior under the base, or of an encoder. The prior is the base and one network, whose
    constant is left open: `StagedPrior.normalise` finds it.

    Args:
        posterior: how z+ are drawn.
        discrepancy: what is minimised over them.
    """

    vitals: ClassVar[tuple[Vital, ...]] = EnergyDiscrepancy.vitals

    posterior: Posterior = Posterior(steps=0)
    discrepancy: EnergyDiscrepancy = EnergyDiscrepancy()

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        cast(StagedPrior, parts["prior"]).active.fill_(1)
        return self.discrepancy.init({"energy": parts["prior"]}, batch, rng)

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        prior = cast(StagedPrior, parts["prior"])
        z = self.posterior.sample(parts, prior.base, batch.x, prior.dim, rng)
        learned = self.discrepancy.step({"energy": prior}, state, Batch(z), rng)
        return Result({"prior": learned.losses["energy"]}, learned.state, learned.metrics)
