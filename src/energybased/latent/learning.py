"""Learning a generator and its prior together, stage after stage."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Generator, Tensor

from energybased.errors import require
from energybased.latent.posterior import Posterior
from energybased.latent.stage import StageRatio
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar

POOL, ROWS = 5000, 300
VITALS = (
    Vital("mse", 0.0, 4.0, 50, "lower the learning rate"),
    Vital("latent_square", 0.0, 100.0, 50, "take shorter steps on the posterior, or a larger sigma"),
)
LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class LatentStage:
    """Xiao & Han 2022: the stage's ratio between z+ and z-, and |x - g(z+)|^2 for the generator.

    z+ are samples of the posterior under the prior of the stages before, the running one left out; z- samples of that
    prior. An encoder, if there is one, learns to begin the chains where they end: -log q(z+ | x).

    z+ cost more than anything else: the latest of them are kept in a pool, from which the ratio learns.

    Args:
        ratio: the stage; None for a generator that learns alone, under all the stages that there are.
        posterior: how z+ are drawn.
        joint: whether generator and encoder learn; they are left as they are otherwise, as after a first training.
        pool: how many of the latest z+ are kept.
        rows: taken from the pool for an update of the ratio.
        every: z+ are drawn in one update of so many, and generator and encoder learn in that alone; the ratio in all.
    """

    ratio: StageRatio | None
    posterior: Posterior = Posterior()
    joint: bool = True
    pool: int = POOL
    rows: int = ROWS
    every: int = 1

    def __post_init__(self) -> None:
        require(self.joint or self.ratio is not None, "without a ratio and a generator, nothing learns")
        require(self.every >= 1, f"every must be at least 1, got {self.every}")
        require(self.pool >= 1, f"pool must be at least 1, got {self.pool}")
        bank = self.rows if self.ratio is None else self.ratio.bank
        require(1 <= self.rows <= bank, f"rows must be in 1 ... {bank}, the persistent chains, got {self.rows}")

    @property
    def vitals(self) -> tuple[Vital, ...]:
        own = VITALS if self.joint else VITALS[1:]
        return own if self.ratio is None else (*own, *self.ratio.vitals)

    def init(self, parts: Parts, data: Tensor, rng: Generator) -> State:
        if self.ratio is None:
            return {}
        pool = torch.zeros(self.pool, cast(StagedPrior, parts["prior"]).base.dim)
        counts = {"pooled": torch.tensor(0), "turn": torch.tensor(0)}
        last = {vital.name: torch.zeros(()) for vital in (VITALS if self.joint else VITALS[1:])}
        return {**self.ratio.init(parts, data, rng), "pool": pool, **counts, **last}

    def refresh(self, state: State, rng: Generator) -> State:
        return state if self.ratio is None else self.ratio.refresh(state, rng)

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        losses: dict[str, Tensor] = {}
        metrics: dict[str, Tensor] = {name: state[name] for name in ("mse", "latent_square") if name in state}
        if self.due(state):
            prior = cast(StagedPrior, parts["prior"])
            before = prior.first(len(prior.learned) if self.ratio is None else self.ratio.stage)
            positives = self.posterior.draw(parts, before, batch.x, prior.base.dim, rng)
            if self.joint:  # what does not learn needs no graph
                losses, metrics = reproducing(parts, positives, batch.x)
            else:
                metrics = {"latent_square": scalar(positives.square().mean())}
            if self.ratio is not None:
                self.keep(state, positives)
        if self.ratio is None:
            return Result(losses, state, metrics)
        learned = self.ratio.step(parts, {**state, **metrics}, Batch(self.pooled(state, rng).to(batch.x)), rng)
        return Result(losses | learned.losses, learned.state, metrics | learned.metrics)

    def due(self, state: State) -> bool:
        """Whether this update draws from the posterior."""
        if self.ratio is None:
            return True
        turn, state["turn"] = int(state["turn"]), state["turn"] + 1
        return turn % self.every == 0

    def keep(self, state: State, positives: Tensor) -> None:
        """Puts these positives `(batch, dim)` into the pool, in the place of the oldest."""
        positives = positives[-self.pool :]
        places = (int(state["pooled"]) + torch.arange(len(positives))) % self.pool
        state["pool"][places] = positives.to(state["pool"])
        state["pooled"] = state["pooled"] + len(positives)

    def pooled(self, state: State, rng: Generator) -> Tensor:
        """Rows of the pool `(rows, dim)`."""
        there = min(int(state["pooled"]), self.pool)
        return state["pool"][torch.randint(there, (self.rows,), generator=rng)]


def reproducing(parts: Parts, positives: Tensor, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What generator, and encoder if there is one, learn from samples z+ `(batch, dim)` of the posterior; metrics."""
    off = (parts["generator"](positives) - x).square().flatten(1)
    losses = {"generator": off.sum(1).mean()}
    if "encoder" in parts:
        mean, log_std = parts["encoder"](x)
        losses["encoder"] = surprise(mean, log_std, positives).mean()
    mse = 4 * off.mean()  # on [-1, 1], as the literature states it
    return losses, {"mse": scalar(mse), "latent_square": scalar(positives.square().mean())}


def surprise(mean: Tensor, log_std: Tensor, z: Tensor) -> Tensor:
    """-log N(z; mean, diag(std^2)) in nats, `(batch,)`."""
    return (0.5 * ((z - mean) / log_std.exp()).square() + log_std + 0.5 * LOG_2PI).sum(1)
