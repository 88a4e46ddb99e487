"""Training a generator together with one stage of its prior (Xiao & Han 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Generator, Tensor

from energybased.errors import require
from energybased.latent.objectives.posterior_reconstruction import VITALS, reconstruction_losses
from energybased.latent.objectives.stage_ratio import StageRatio
from energybased.latent.posterior import Posterior
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar

POOL, ROWS = 5000, 300


@dataclass(frozen=True)
class LatentStage:
    """The loss of `StageRatio` for the ratio, and |x - g(z+)|^2 for the generator (Xiao & Han 2022).

    The prior so far is that of the earlier stages, without the stage in training. z+ are samples of the posterior under
    this prior, and z- are samples of this prior. An encoder, if there is one, is trained as in
    `PosteriorReconstruction`.

    Sampling z+ is the most expensive operation. So the latest z+ are kept in a pool, and the ratio is trained on rows
    of this pool.

    Args:
        ratio: settings of the stage.
        posterior: settings by which z+ are sampled.
        joint: train generator and encoder too. If False, they do not change; they must have been trained before.
        pool: number of the latest z+ in the pool.
        rows: number of rows that an update of the ratio takes from the pool.
        ratio_updates_per_draw: updates of the ratio per draw of z+. Generator and encoder are updated once per draw.

    Raises:
        UserError: for settings out of range.
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
        """The vitals of the samples z+, and of the generator if it is trained."""
        return VITALS if self.joint else VITALS[1:]

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        rows = -(-self.pool // batch.shards)
        pool = torch.zeros(rows, cast(StagedPrior, parts["prior"]).dim, dtype=batch.x.dtype, device="cpu")
        counts = {name: torch.tensor(0, device="cpu") for name in ("pooled", "turn")}
        last = {vital.name: torch.zeros((), device="cpu") for vital in self.own}
        return {**self.ratio.init(parts, batch, rng), "pool": pool, **counts, **last}

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        losses: dict[str, Tensor] = {}
        metrics: dict[str, Tensor] = {vital.name: state[vital.name] for vital in self.own}
        if self.due(state):
            prior = cast(StagedPrior, parts["prior"])
            positives = self.posterior.sample(parts, prior.truncated(self.ratio.stage), batch.x, prior.dim, rng)
            if self.joint:  # otherwise no gradients are needed
                losses, metrics = reconstruction_losses(parts, positives, batch.x)
            else:
                metrics = {"latent_square": scalar(positives.square().mean())}
            self.keep(state, positives)
        learned = self.ratio.step(parts, {**state, **metrics}, self.pooled(state, batch, rng), rng)
        return Result(losses | learned.losses, learned.state, metrics | learned.metrics, learned.shared)

    def settle(self, parts: Parts, state: State, shared: dict[str, Tensor]) -> Result:
        """As that of `StageRatio`, from sums over all shards, 0-d."""
        return self.ratio.settle(parts, state, shared)

    def due(self, state: State) -> bool:
        """Whether this update samples z+."""
        turn, state["turn"] = int(state["turn"]), state["turn"] + 1
        return turn % self.ratio_updates_per_draw == 0

    def keep(self, state: State, positives: Tensor) -> None:
        """Puts z+ `(batch, dim)` into the pool, in place of the oldest ones."""
        size = len(state["pool"])
        positives = positives[-size:]
        places = (int(state["pooled"]) + torch.arange(len(positives), device="cpu")) % size
        state["pool"][places] = positives.to(state["pool"])
        state["pooled"] = state["pooled"] + len(positives)

    def pooled(self, state: State, batch: Batch, rng: Generator) -> Batch:
        """Random rows of the pool, `(rows, dim)`, as a batch for the ratio."""
        there, rows = min(int(state["pooled"]), len(state["pool"])), -(-self.rows // batch.shards)
        z = state["pool"][torch.randint(there, (rows,), generator=rng, device="cpu")]
        return Batch(z.to(batch.x), shards=batch.shards)
