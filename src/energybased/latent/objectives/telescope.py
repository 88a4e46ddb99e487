"""Telescoping ratios in latent space."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Generator
from torch.nn import functional as F

from energybased.errors import require
from energybased.latent.posterior import Posterior
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar


@dataclass(frozen=True)
class Telescope:
    """Rhodes et al. 2020 (TRE): ratios between waymarks z_k = sqrt(1 - a_k^2) z+ + a_k e, a_k = k/m, learned together.

    z+ are samples of the posterior under the base, or of an encoder, e of N(0, I). The m stages of the prior are the
    bridges between neighbouring waymarks, that from the noise first.

    With a magnitude M above 1, what a bridge tells data from counts M times (Yu et al. 2024, noise-intensified
    telescoping): softplus(log M - f(z_k)) + M softplus(f(z_k+1) - log M). The ratio is the optimum at any M, and the
    gradient goes towards that of maximum likelihood as M grows.

    Args:
        posterior: how z+ are drawn.
        magnitude: M.
    """

    posterior: Posterior = Posterior(steps=0)
    magnitude: float = 1.0

    def __post_init__(self) -> None:
        require(1 <= self.magnitude < math.inf, f"magnitude must be at least 1, got {self.magnitude}")

    @property
    def vitals(self) -> tuple[Vital, ...]:
        return (Vital("loss", 0.0, 10 + math.log(self.magnitude), 20, "lower the learning rate"),)

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        cast(StagedPrior, parts["prior"]).active.fill_(1)
        return {}

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        prior = cast(StagedPrior, parts["prior"])
        z = self.posterior.sample(parts, prior.base, batch.x, prior.dim, rng)
        noise, bridges = prior.base.sample(len(z), rng).to(z), len(prior.active)
        a = torch.linspace(1, 0, bridges + 1, dtype=z.dtype, device=z.device)[
            :, None, None
        ]  # from the noise to the data
        waymarks = (1 - a.square()).sqrt() * z + a * noise
        logits = prior.logits(waymarks.flatten(0, 1)).unflatten(0, (bridges + 1, -1))  # (waymarks, batch, bridges)
        k = torch.arange(bridges, device=z.device)
        shift = math.log(self.magnitude)
        losses = F.softplus(shift - logits[k + 1, :, k]) + self.magnitude * F.softplus(logits[k, :, k] - shift)
        loss = losses.mean()
        return Result({"prior": loss}, state, {"loss": scalar(loss)})
