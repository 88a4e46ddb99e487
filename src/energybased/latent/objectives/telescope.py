"""Telescoping density-ratio estimation for a prior (Rhodes et al. 2020)."""

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
    """Ratios between waymarks z_k = sqrt(1 - a_k^2) z+ + a_k e, a_k = k/m, trained together (Rhodes et al. 2020, TRE).

    z+ are samples of the posterior under the base, or of an encoder, and e is from N(0, I). The m stages of the prior
    are the bridges f between neighbouring waymarks. The first stage is the bridge from the noise e.

    The loss of a bridge is softplus(log M - f(z_k)) + M softplus(f(z_k+1) - log M). M = 1 is the plain method. M > 1
    is noise-intensified telescoping (Yu et al. 2024): the noisier waymark has M times the weight. The optimal f is the
    same log-ratio for every M. As M grows, the gradient approaches that of maximum likelihood.

    Args:
        posterior: settings by which z+ are sampled.
        magnitude: M, at least 1.

    Raises:
        UserError: if the magnitude is out of range.
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
        a = torch.linspace(1, 0, bridges + 1, dtype=z.dtype, device=z.device)[:, None, None]  # from noise to data
        waymarks = (1 - a.square()).sqrt() * z + a * noise
        logits = prior.logits(waymarks.flatten(0, 1)).unflatten(0, (bridges + 1, -1))  # (waymarks, batch, bridges)
        k = torch.arange(bridges, device=z.device)
        shift = math.log(self.magnitude)
        losses = F.softplus(shift - logits[k + 1, :, k]) + self.magnitude * F.softplus(logits[k, :, k] - shift)
        loss = losses.mean()
        return Result({"prior": loss}, state, {"loss": scalar(loss)})
