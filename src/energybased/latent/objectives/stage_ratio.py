"""One stage of a prior: a classifier between data and samples of the prior so far (Xiao & Han 2022)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, cast, get_args

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from energybased.errors import require
from energybased.latent.staged_prior import StagedPrior
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar
from energybased.sampling import Engine, Kernel, ReplayBuffer, Streams, advance

CHANCE = 2 * math.log(2)
DECAY = 0.99  # of the running mean of losses
STANDARD_ERRORS = 4.0  # by which the loss of a classifier must be below chance
MIN_UPDATES = 100  # fewest updates after which a stage can count as learned


@dataclass(frozen=True)
class StageRatio:
    """L_k = mean softplus(-f_k(z+)) + mean softplus(f_k(z-)) + logit_l2 (mean f_k(z+)^2 + f_k(z-)^2) (Xiao & Han 2022).

    z+ are data. z- are negatives: samples of the prior of the k earlier stages, which do not change. At stage 0 they
    are independent samples of the base. At later stages they are persistent chains that start from samples annealed
    through the earlier stages. A stage starts from the ratio 1, with the hidden layers of the stage before it.

    A stage is learned, and becomes active in the prior, when the running mean of its loss is four standard errors below
    the loss of chance, 2 log 2, after at least 100 updates. A classifier can memorise a finite data set. So if a batch
    has held-out rows, only these decide whether the stage is learned, and they give no gradient. After a stage that
    learned nothing, all further stages end at once.

    The optimiser must not change earlier stages. It must therefore have no weight decay, and its state must be reset
    before each stage.

    Args:
        stage: k, from 0.
        kernel: moves the persistent chains.
        steps: transitions per update. With 0, the negatives are a fixed set of annealed samples.
        persistent_chains: number of persistent chains. Chains that cannot cross between modes keep the proportions of
            the annealed samples.
        restart: probability that a visited chain starts anew at a sample of the base; 1 gives short runs.
        logit_l2: weight of the penalty on squared logits, which bounds the logits if the classes are separable.
        patience: the stage ends after this number of updates without a better loss.
        saturated: the stage ends when the loss is below this value, because a ratio this far from 1 is learned better
            by several stages.
        held: number of held-out rows in the data set; None if every batch is drawn anew.
        engine: how the persistent chains are computed, "eager" or "compiled"; see `sample`.

    Raises:
        UserError: for settings out of range.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (Vital("loss", 0.0, 10.0, 20, "lower the learning rate"),)

    stage: int
    kernel: Kernel
    steps: int = 5
    persistent_chains: int = 5000
    restart: float = 0.0
    logit_l2: float = 1e-3
    patience: int = 500
    saturated: float = 0.1
    held: int | None = None
    engine: Engine = "eager"

    def __post_init__(self) -> None:
        require(self.stage >= 0, f"stage must not be negative, got {self.stage}")
        require(self.steps >= 0, f"steps must not be negative, got {self.steps}")
        require(0 <= self.restart <= 1, f"restart must be a probability, got {self.restart}")
        require(self.steps > 0 or self.restart == 0, "restart must be 0 without steps: chains could not leave the base")
        require(self.persistent_chains >= 1, f"persistent_chains must be at least 1, got {self.persistent_chains}")
        require(self.patience >= 1, f"patience must be at least 1, got {self.patience}")
        require(self.engine in get_args(Engine), f"engine is 'eager' or 'compiled', got {self.engine!r}")

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        prior = cast(StagedPrior, parts["prior"])
        if self.stage:
            prior.logits.follow(self.stage)
        chance = torch.tensor(CHANCE, device=prior.active.device)
        zero = torch.zeros_like(chance)
        state = {"mean": chance, "square": chance**2, "spread": zero, "best": chance, "since": zero, "seen": zero}
        if self.exact(prior):
            return state
        return {**state, **self.buffer.share(batch.shards).init(lambda n: prior.sample(n, rng, stages=self.stage), rng)}

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        prior = cast(StagedPrior, parts["prior"])
        negatives = self.negatives(prior, state, len(batch.x), rng).to(batch.x)
        both = torch.cat([batch.x, negatives])
        positive, negative = prior.logits(both, slice(self.stage, self.stage + 1)).squeeze(1).chunk(2)
        losses = torch.stack([F.softplus(-positive), F.softplus(negative)]).sum(0)
        every = torch.ones_like(losses, dtype=torch.bool)
        judges = every if batch.held_out is None else batch.held_out
        learns = every if batch.held_out is None else ~judges
        penalty = positive[learns].square().mean() + negative[learns].square().mean()
        loss = losses[learns].mean()
        metrics = {
            "loss": loss,
            "logit_data": positive.mean(),
            "logit_negatives": negative.mean(),
        }
        total = {"prior": loss + self.logit_l2 * penalty}
        judged = losses.detach()[judges]
        shared = {"rows": judges.sum(), "losses": judged.sum(), "squares": judged.square().sum()}
        return Result(total, state, {name: scalar(value) for name, value in metrics.items()}, shared)

    def settle(self, parts: Parts, state: State, shared: dict[str, Tensor]) -> Result:
        """Decides whether the stage is learned and whether it is over, from sums over all shards, 0-d."""
        prior = cast(StagedPrior, parts["prior"])
        over = self.judged(prior, state, shared["losses"] / shared["rows"], shared["squares"] / shared["rows"])
        metrics = {"running_loss": state["mean"], "active": prior.active.sum(), "stage_finished": over}
        return Result({}, state, {name: scalar(value) for name, value in metrics.items()})

    @property
    def buffer(self) -> ReplayBuffer:
        """Settings of the replay buffer that holds the persistent chains."""
        return ReplayBuffer(self.persistent_chains, restart=self.restart)

    def exact(self, prior: StagedPrior) -> bool:
        """Whether no earlier stage is active, so that exact samples of the prior so far are samples of the base."""
        return not bool(prior.active[: self.stage].any())

    def negatives(self, prior: StagedPrior, state: State, n: int, rng: Generator) -> Tensor:
        """n negatives `(n, dim)`: samples of the prior of the earlier stages."""
        if "x" not in state:
            return prior.base.sample(n, rng)
        start, _, slots = self.buffer.sample(state, n, lambda m: prior.base.sample(m, rng), rng)
        start, energy = start.to(prior.active), prior.truncated(self.stage)
        end = advance(energy, start, self.kernel, self.steps, Streams.of(rng, start), engine=self.engine).x
        self.buffer.write(state, slots, end)
        return end

    def judged(self, prior: StagedPrior, state: State, loss: Tensor, square: Tensor) -> Tensor:
        """Updates the running mean of the loss and the stage's activity, and returns whether the stage is over, 0-d.

        Args:
            prior: the prior, whose `active` is updated.
            state: the state, which is updated.
            loss: the mean loss of the rows that decide, 0-d.
            square: the mean of its square.
        """
        state.update({name: state[name].to(loss) for name in ("mean", "square", "spread", "best", "since", "seen")})
        seen = state["seen"] + 1
        spread = (square - loss.square()).clamp(min=0)
        decay = torch.where(seen * (1 - DECAY) < 1, 1 - 1 / seen, DECAY)  # a plain mean at first
        for name, value in (("mean", loss), ("square", loss.square()), ("spread", spread)):
            state[name] = torch.lerp(value, state[name], decay)
        state["seen"] = seen
        noise = (state["square"] - state["mean"].square()).clamp(min=0) * (1 - DECAY) / (1 + DECAY)
        few = state["spread"] / self.held if self.held else torch.zeros_like(noise)  # the held-out rows repeat
        error = (noise + few).sqrt()
        before = prior.active[self.stage - 1] if self.stage else torch.ones_like(loss)
        beats = (state["mean"] + STANDARD_ERRORS * error < CHANCE) & (seen > MIN_UPDATES) & (before > 0)
        prior.active[self.stage] = torch.maximum(prior.active[self.stage], beats.to(prior.active))
        better = state["mean"] < state["best"] - noise.sqrt()
        state["best"] = torch.where(better, state["mean"], state["best"])
        state["since"] = torch.where(better, 0.0, state["since"] + 1)
        return (state["since"] >= self.patience) | (state["mean"] < self.saturated) | (before == 0)


def stage_finished(metrics: dict[str, float]) -> bool:
    """Whether the metrics of `StageRatio` say that the stage is over."""
    return metrics["stage_finished"] > 0
