"""Learning a generator and its prior together, stage after stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Generator, Tensor

from energybased.errors import require
from energybased.latent.objectives.posterior_reconstruction import VITALS, reproducing
from energybased.latent.objectives.stage_ratio import StageRatio
from energybased.latent.posterior import Posterior
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar

POOL, ROWS = 5000, 300


@dataclass(frozen=True)
class LatentStage:
    """Xiao & Han 2022: the stage's ratio between z+ and z-, and |x - g(z+)|^2 for the generator.

    z+ are samples of the posterior under the prior of the stages before, the running one left out; z- samples of that
    prior. An encoder, if there is one, learns as beside `PosteriorReconstruction`.

    z+ cost more than anything else: the latest of them are kept in a pool, from which the ratio learns.

    Args:
        ratio: the stage.
        posterior: how z+ are drawn.
        joint: whether generator and encoder learn; they are left as they are otherwise, as after a first training.
        pool: how many of the latest z+ are kept.
        rows: taken from the pool for an update of the ratio.
        ratio_updates_per_draw: updates of the ratio for each draw of z+; generator and encoder learn once a draw.
    """

    ratio: StageRatio
    posterior: Posterior = Posterior()
    joint: bool = True
    pool: int = POOL
    rows: int = ROWS
    ratio_updates_per_draw: int = 1

    def __post_init__(self) -> None:
        require(
            self.ratio_updates_per_draw >= 1,
            f"ratio_updates_per_draw must be at least 1, got {self.ratio_updates_per_draw}",
        )
        require(self.pool >= 1, f"pool must be at least 1, got {self.pool}")
        count = self.ratio.persistent_chains
        require(1 <= self.rows <= count, f"rows must be in 1 ... {count}, the persistent chains, got {self.rows}")

    @property
    def vitals(self) -> tuple[Vital, ...]:
        return (*self.own, *self.ratio.vitals)

    @property
    def own(self) -> tuple[Vital, ...]:
        """Those of the posterior's samples, and of the generator if it learns."""
        return VITALS if self.joint else VITALS[1:]

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        pool = torch.zeros(self.pool, cast(StagedPrior, parts["prior"]).dim, dtype=batch.x.dtype, device="cpu")
        counts = {name: torch.tensor(0, device="cpu") for name in ("pooled", "turn")}
        last = {vital.name: torch.zeros((), device="cpu") for vital in self.own}
        return {**self.ratio.init(parts, batch, rng), "pool": pool, **counts, **last}

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        losses: dict[str, Tensor] = {}
        metrics: dict[str, Tensor] = {vital.name: state[vital.name] for vital in self.own}
        if self.due(state):
            prior = cast(StagedPrior, parts["prior"])
            positives = self.posterior.sample(parts, prior.truncated(self.ratio.stage), batch.x, prior.dim, rng)
            if self.joint:  # what does not learn needs no graph
                losses, metrics = reproducing(parts, positives, batch.x)
            else:
                metrics = {"latent_square": scalar(positives.square().mean())}
            self.keep(state, positives)
        learned = self.ratio.step(parts, {**state, **metrics}, Batch(self.pooled(state, rng).to(batch.x)), rng)
        return Result(losses | learned.losses, learned.state, metrics | learned.metrics)

    def due(self, state: State) -> bool:
        """Whether this update draws from the posterior."""
        turn, state["turn"] = int(state["turn"]), state["turn"] + 1
        return turn % self.ratio_updates_per_draw == 0

    def keep(self, state: State, positives: Tensor) -> None:
        """Puts these positives `(batch, dim)` into the pool, in the place of the oldest."""
        positives = positives[-self.pool :]
        places = (int(state["pooled"]) + torch.arange(len(positives), device="cpu")) % self.pool
        state["pool"][places] = positives.to(state["pool"])
        state["pooled"] = state["pooled"] + len(positives)

    def pooled(self, state: State, rng: Generator) -> Tensor:
        """Rows of the pool `(rows, dim)`."""
        there = min(int(state["pooled"]), self.pool)
        return state["pool"][torch.randint(there, (self.rows,), generator=rng, device="cpu")]
