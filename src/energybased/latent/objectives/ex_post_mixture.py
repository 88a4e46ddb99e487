"""A mixture of Gaussians as the prior, fitted after an autoencoder (Ghosh et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Generator

from energybased.energies import GaussianMixture
from energybased.errors import require
from energybased.latent.objectives.posterior_reconstruction import VITALS
from energybased.latent.posterior import Posterior
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar


@dataclass(frozen=True)
class ExPostMixture:
    """Fits the prior, a mixture of Gaussians, to latent vectors z+ of an encoder (Ghosh et al. 2020).

    The prior must be a `GaussianMixture`; its number of components is kept. z+ are collected in a pool. The mixture is
    fitted anew by expectation maximisation whenever the pool has doubled since the last fit, and when it is full. So
    the last fit of a short phase uses at least half of its z+.

    Args:
        posterior: settings by which z+ are sampled.
        pool: largest number of z+ in the pool.

    Raises:
        UserError: if the pool is smaller than 2.
    """

    vitals: ClassVar[tuple[Vital, ...]] = VITALS[1:]

    posterior: Posterior = Posterior(steps=0)
    pool: int = 10_000

    def __post_init__(self) -> None:
        require(self.pool >= 2, f"pool must be at least 2, got {self.pool}")

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        none = torch.tensor(0, device="cpu")
        return {
            "pool": torch.zeros(
                self.pool, cast(GaussianMixture, parts["prior"]).dim, dtype=batch.x.dtype, device="cpu"
            ),
            "pooled": none,
            "fitted": none,
        }

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        prior = cast(GaussianMixture, parts["prior"])
        z = self.posterior.sample(parts, prior, batch.x, prior.dim, rng)
        there, before = int(state["pooled"]), int(state["fitted"])
        new = z[: self.pool - there]
        state["pool"][there : there + len(new)] = new.to(state["pool"])
        count = there + len(new)
        due = count >= max(2 * before, len(prior.means)) or before < count == self.pool
        if due and state["pool"].isfinite().all():  # otherwise `latent_square` shows it to the guard
            prior.load_state_dict(GaussianMixture.fit(state["pool"][:count], len(prior.means), rng).state_dict())
            before = count
        state = {**state, "pooled": torch.tensor(count, device="cpu"), "fitted": torch.tensor(before, device="cpu")}
        return Result({}, state, {"latent_square": scalar(z.square().mean())})
