"""One stage of a prior: a classifier between data and the prior so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from energybased.errors import require
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar
from energybased.sampling import Kernel, ReplayBuffer, Streams, advance, evaluating

CHANCE = 2 * math.log(2)
DECAY = 0.99  # of the running mean of losses
LUCK = 4.0  # standard errors by which a classifier must beat chance


@dataclass(frozen=True)
class StageRatio:
    """Xiao & Han 2022: L_k = mean softplus(-f_k(z+)) + mean softplus(f_k(z-)) + logit_l2 (mean f_k(z+)^2 + f_k(z-)^2).

    z+ are data and z- samples of the prior of the k stages before, which do not change. At stage 0 these are
    independent draws from the base; afterwards persistent chains, begun by annealing through the stages. The stage
    counts as learned, and becomes a part of the prior, once its classifier beats chance, 2 log 2, by more than luck.

    Args:
        stage: k, from 0.
        kernel: moves the persistent chains.
        steps: transitions an update.
        bank: persistent chains.
        logit_l2: weight of the penalty on squared logits, which keeps a perfect classifier from growing for ever.
        patience: updates without a better loss after which the stage is over.
        saturated: loss below which the stage is over: what is left is for another.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (Vital("loss", 0.0, 10.0, 20, "lower the learning rate"),)

    stage: int
    kernel: Kernel
    steps: int = 5
    bank: int = 5000
    logit_l2: float = 1e-3
    patience: int = 500
    saturated: float = 0.1

    def __post_init__(self) -> None:
        require(self.stage >= 0, f"stage must not be negative, got {self.stage}")
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.bank >= 1, f"bank must be at least 1, got {self.bank}")
        require(self.patience >= 1, f"patience must be at least 1, got {self.patience}")

    def init(self, parts: Parts, data: Tensor, rng: Generator) -> State:
        prior = cast(StagedPrior, parts["prior"])
        state = {
            "mean": torch.tensor(CHANCE),
            "square": torch.tensor(CHANCE**2),
            "best": torch.tensor(CHANCE),
            "since": torch.tensor(0),
            "seen": torch.tensor(0),
        }
        if self.exact(prior):
            return state
        return {**state, **self.buffer.init(lambda n: prior.sample(n, rng, self.stage), rng)}

    def refresh(self, state: State, rng: Generator) -> State:
        return state

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        prior = cast(StagedPrior, parts["prior"])
        negatives = self.negatives(prior, state, len(batch.x), rng).to(batch.x)
        logits = prior.logits(torch.cat([batch.x, negatives]), slice(self.stage, self.stage + 1)).squeeze(1)
        positive, negative = logits.chunk(2)
        loss = F.softplus(-positive).mean() + F.softplus(negative).mean()
        penalty = positive.square().mean() + negative.square().mean()
        over = self.judged(prior, state, loss.detach())
        metrics = {
            "loss": loss,
            "running_loss": state["mean"],
            "logit_data": positive.mean(),
            "logit_negatives": negative.mean(),
            "learned": prior.learned.sum(),
            "over": over,
        }
        losses = {"prior": loss + self.logit_l2 * penalty}
        return Result(losses, state, {name: scalar(value) for name, value in metrics.items()})

    @property
    def buffer(self) -> ReplayBuffer:
        return ReplayBuffer(self.bank, restart=0.0)

    def exact(self, prior: StagedPrior) -> bool:
        """Whether the prior so far is its base, which can be drawn from."""
        return not bool(prior.learned[: self.stage].any())

    def negatives(self, prior: StagedPrior, state: State, n: int, rng: Generator) -> Tensor:
        """n samples `(n, dim)` of the prior so far."""
        if "x" not in state:
            return prior.base.draw(n, rng)
        start, slots = self.buffer.draw(state, n, lambda m: prior.base.draw(m, rng), rng)
        energy = prior.first(self.stage)
        with evaluating(energy):
            end = advance(energy, start, self.kernel, self.steps, Streams.of(rng, start)).x
        self.buffer.write(state, slots, end)
        return end

    def judged(self, prior: StagedPrior, state: State, loss: Tensor) -> Tensor:
        """Whether the stage is over; keeps the running mean of its loss, and whether it has learned anything."""
        state["seen"] = state["seen"] + 1
        state["mean"] = torch.lerp(loss, state["mean"], DECAY)
        state["square"] = torch.lerp(loss.square(), state["square"], DECAY)
        variance = (state["square"] - state["mean"].square()).clamp(min=0)
        error = (variance * (1 - DECAY) / (1 + DECAY)).sqrt()
        beats = (state["mean"] + LUCK * error < CHANCE) & (state["seen"] > 1 / (1 - DECAY))
        prior.learned[self.stage] = torch.maximum(prior.learned[self.stage], beats.to(prior.learned))
        better = state["mean"] < state["best"] - error
        state["best"] = torch.where(better, state["mean"], state["best"])
        state["since"] = torch.where(better, 0, state["since"] + 1)
        return (state["since"] >= self.patience) | (state["mean"] < self.saturated)
