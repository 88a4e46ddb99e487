"""A base that is a mixture of Gaussians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Generator, Tensor

from energybased.energies import GaussianMixture
from energybased.errors import require
from energybased.latent.objectives.posterior_reconstruction import VITALS
from energybased.latent.posterior import Posterior
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar


@dataclass(frozen=True)
class ExPostMixture:
    """The prior's base becomes a mixture of Gaussians, fitted to an encoder's z+ by expectation maximisation.

    As after a regularised autoencoder (Ghosh et al. 2020). The base must be a `GaussianMixture`, which says how many
    components there are, and no stage be learned. scikit-learn fits, anew whenever there are twice as many z+ as it was
    fitted to, or as many as are kept: however short the phase is, at least half of them are in the fit.

    Args:
        posterior: how z+ are drawn.
        pool: how many z+ are kept at the most.
    """

    vitals: ClassVar[tuple[Vital, ...]] = VITALS[1:]

    posterior: Posterior = Posterior(steps=0)
    pool: int = 10_000

    def __post_init__(self) -> None:
        require(self.pool >= 2, f"pool must be at least 2, got {self.pool}")

    def init(self, parts: Parts, data: Tensor, rng: Generator) -> State:
        prior = cast(StagedPrior, parts["prior"])
        none = torch.tensor(0)
        return {"pool": torch.zeros(self.pool, prior.base.dim), "pooled": none, "fitted": none}

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        base = cast(GaussianMixture, cast(StagedPrior, parts["prior"]).base)
        z = self.posterior.sample(parts, base, batch.x, base.dim, rng)
        there, before = int(state["pooled"]), int(state["fitted"])
        new = z[: self.pool - there]
        state["pool"][there : there + len(new)] = new.to(state["pool"])
        count = there + len(new)
        due = count >= max(2 * before, len(base.means)) or before < count == self.pool
        if due and state["pool"].isfinite().all():  # otherwise the guard sees it below
            base.load_state_dict(GaussianMixture.fit(state["pool"][:count], len(base.means), rng).state_dict())
            before = count
        state = {**state, "pooled": torch.tensor(count), "fitted": torch.tensor(before)}
        return Result({}, state, {"latent_square": scalar(z.square().mean())})
