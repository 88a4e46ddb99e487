"""A Gaussian base with the moments of posterior samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from torch import Generator

from energybased.energies import Gaussian
from energybased.latent.objectives.posterior_reconstruction import VITALS
from energybased.latent.posterior import Posterior
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar


@dataclass(frozen=True)
class MomentMatching:
    """Gives the prior's base the mean and covariance of latent vectors z+, samples of the posterior under N(0, I).

    This is one step of expectation maximisation (Dempster, Laird & Rubin 1977) for a Gaussian prior. No network is
    trained. The base must be a `Gaussian`, and no stage may have been learned.

    Args:
        posterior: settings by which z+ are sampled.
    """

    vitals: ClassVar[tuple[Vital, ...]] = VITALS[1:]

    posterior: Posterior = Posterior()

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        dim = cast(StagedPrior, parts["prior"]).dim
        # The sums begin with one pseudo-sample of covariance I, so that the covariance is never singular.
        kind: Any = {"dtype": batch.x.dtype, "device": "cpu"}
        sums = {"sum": torch.zeros(dim, **kind), "product": torch.eye(dim, **kind)}
        return {"count": torch.ones((), **kind), **sums}

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        base = cast(Gaussian, cast(StagedPrior, parts["prior"]).base)
        # N(0, I) as a `Gaussian`, so that chains compiled for an earlier phase of the generator are reused.
        kind: Any = {"dtype": batch.x.dtype, "device": batch.x.device}
        normal = Gaussian(torch.zeros(base.dim, **kind), torch.eye(base.dim, **kind))
        z = self.posterior.sample(parts, normal, batch.x, base.dim, rng)
        seen = {"count": torch.tensor(len(z), device="cpu"), "sum": z.sum(0), "product": z.T @ z}
        state = {name: value + seen[name].to(value) for name, value in state.items()}
        mean = state["sum"] / state["count"]
        covariance = state["product"] / state["count"] - mean.outer(mean)
        if covariance.isfinite().all():  # otherwise `latent_square` shows it to the guard
            base.load_state_dict(Gaussian(mean, 0.5 * (covariance + covariance.T)).state_dict())
        return Result({}, state, {"latent_square": scalar(z.square().mean())})
