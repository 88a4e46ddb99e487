"""Energy discrepancy for a prior (Schröder et al. 2023)."""

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
    """The energy discrepancy of the prior on latent vectors z+ (Schröder et al. 2023), without chains on the prior.

    z+ are samples of the posterior under the base, or of an encoder. The prior is the base with one network. The
    objective does not determine log Z; `StagedPrior.normalise` estimates it.

    Args:
        posterior: settings by which z+ are sampled.
        discrepancy: settings of the energy discrepancy.
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
