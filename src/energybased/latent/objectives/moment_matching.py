"""A base with the moments of posterior samples."""

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
    """The prior's base becomes the Gaussian with mean and covariance of samples z+ of the posterior under N(0, I).

    One step of expectation maximisation that needs no network. The base must be a `Gaussian`, and no stage be learned.

    Args:
        posterior: how z+ are drawn.
    """

    vitals: ClassVar[tuple[Vital, ...]] = VITALS[1:]

    posterior: Posterior = Posterior()

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        dim = cast(StagedPrior, parts["prior"]).dim
        # As if one sample of N(0, I) had been seen: never singular.
        kind: Any = {"dtype": batch.x.dtype, "device": "cpu"}
        sums = {"sum": torch.zeros(dim, **kind), "product": torch.eye(dim, **kind)}
        return {"count": torch.ones((), **kind), **sums}

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        base = cast(Gaussian, cast(StagedPrior, parts["prior"]).base)
        # N(0, I), in the shape in which the chains of the generator's own phase are compiled.
        kind: Any = {"dtype": batch.x.dtype, "device": batch.x.device}
        normal = Gaussian(torch.zeros(base.dim, **kind), torch.eye(base.dim, **kind))
        z = self.posterior.sample(parts, normal, batch.x, base.dim, rng)
        seen = {"count": torch.tensor(len(z), device="cpu"), "sum": z.sum(0), "product": z.T @ z}
        state = {name: value + seen[name].to(value) for name, value in state.items()}
        mean = state["sum"] / state["count"]
        covariance = state["product"] / state["count"] - mean.outer(mean)
        if covariance.isfinite().all():  # otherwise the guard sees it below
            base.load_state_dict(Gaussian(mean, 0.5 * (covariance + covariance.T)).state_dict())
        return Result({}, state, {"latent_square": scalar(z.square().mean())})
