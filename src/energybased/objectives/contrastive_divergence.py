"""Contrastive divergence with a replay buffer."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Generator, Tensor
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.utils import parametrize

from energybased.energies import as_energy
from energybased.energy import Energy
from energybased.errors import require
from energybased.networks import power_iteration
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar
from energybased.sampling import Engine, Kernel, Samples, Streams, advance, evaluating
from energybased.sampling.replay import ReplayBuffer

EDGE = 1 / 255  # a pixel this near its bound counts as saturated


@dataclass(frozen=True)
class ContrastiveDivergence:
    """Du & Mordatch 2019, algorithm 1: L = mean E(x+) - mean E(x-) + energy_l2 (mean E(x+)^2 + mean E(x-)^2).

    x+ are data and x- the ends of chains of `steps` transitions of `kernel`, begun in the replay buffer. With
    conditions, replayed chains go on under the conditions of the current batch, or, where the buffer is one by
    class, under the class they began with.

    Args:
        kernel: the transition of the chains.
        steps: transitions an update.
        buffer: where chains rest.
        energy_l2: weight of the penalty on squared energies (the paper's alpha).
        form: "difference" as above; "softplus" takes softplus(E+ - E-) pairwise; "logsumexp" weighs the
            negatives by softmax(-E-) over the batch. Both are options of the paper's code.
        kl: weight of the KL term (appendix A.1): E of the chains' ends, back-propagated through their last
            transition with E itself held fixed.
        start: where chains begin: uniform in [0, 1], or standard normal.
        dropout: run the chains in train mode, as the paper's unconditional CIFAR-10 model.
        classes: how many classes the conditions name; read by a buffer by class alone.
        engine: how the chains are computed, "eager" or "compiled"; see `sample`.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (
        Vital("gap_in_sigmas", -90.0, 9.0, 20, "lower the learning rate or raise energy_l2"),
        Vital("chain_gradient", 1e-3, 1e4, 100, "lower the learning rate, or clip the chain's gradient"),
        Vital("separation", 0.02, 0.98, 200, "take more sampler steps an update, or a lower learning rate"),
        Vital("saturation", -1.0, 0.3, 200, "lower step_size or raise noise_scale"),
    )

    kernel: Kernel
    steps: int = 60
    buffer: ReplayBuffer = ReplayBuffer()
    energy_l2: float = 1.0
    form: Literal["difference", "softplus", "logsumexp"] = "difference"
    kl: float = 0.0
    start: Literal["uniform", "normal"] = "uniform"
    dropout: bool = False
    classes: int = 0
    engine: Engine = "eager"

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.energy_l2 >= 0, f"energy_l2 must not be negative, got {self.energy_l2}")
        require(self.kl >= 0, f"kl must not be negative, got {self.kl}")
        require(self.form in ("difference", "softplus", "logsumexp"), f"no such form: {self.form!r}")
        require(self.engine in get_args(Engine), f"engine is 'eager' or 'compiled', got {self.engine!r}")
        require(self.start in ("uniform", "normal"), f"no such start: {self.start!r}")

    def fresh(self, n: int, like: Tensor, rng: Generator) -> Tensor:
        """n starts of chains in the shape and type of the rows of `like`."""
        draw = torch.rand if self.start == "uniform" else torch.randn
        return draw((n, *like.shape[1:]), generator=rng, dtype=like.dtype)

    def init(self, parts: Parts, data: Tensor, rng: Generator) -> State:
        state = self.buffer.init(lambda n: self.fresh(n, data, rng), rng, self.classes)
        return {**state, "momentum": torch.zeros(state["x"].shape, dtype=data.dtype)} if self.inertial else state

    def refresh(self, state: State, rng: Generator) -> State:
        like = torch.empty((0, *state["x"].shape[1:]))
        self.buffer.refresh(state, 0.2, lambda n: self.fresh(n, like, rng), rng)
        return state

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        energy = as_energy(parts["energy"])
        power_iteration(energy)
        chained = energy if batch.y is None else energy.given(batch.y)
        # The buffer stays on the processor, with the generator that training is seeded by.
        start, slots = self.buffer.sample(state, len(batch.x), lambda n: self.fresh(n, batch.x, rng), rng, batch.y)
        start = start.to(batch.x.device)
        end = self.chain_end(energy, chained, start, rng, self.momentum(state, slots, rng, start))
        negatives = end.x.detach()
        if end.momentum is not None and self.inertial:
            state["momentum"][slots] = end.momentum.detach().cpu()
        self.buffer.write(state, slots, negatives.cpu())

        with parametrize.cached():
            both = None if batch.y is None else torch.cat([batch.y, batch.y])
            data_energy, negative_energy = energy(torch.cat([batch.x, negatives]), both).chunk(2)
        loss = self.contrast(data_energy, negative_energy)
        loss = loss + self.energy_l2 * (data_energy.square().mean() + negative_energy.square().mean())
        if self.kl:
            loss = loss + self.kl * self.kl_term(chained, end.x)
        gap = data_energy.mean() - negative_energy.mean()
        metrics = {
            "loss": loss,
            "gap": gap,
            "gap_in_sigmas": gap / math.sqrt(batch.x[0].numel() / 2),  # the spread of a Gaussian's energies
            "energy_data": data_energy.mean(),
            "energy_negatives": negative_energy.mean(),
            "chain_gradient": end.info.gradient.mean(),
            "chain_movement": end.info.movement.mean(),
            "separation": separation(data_energy.detach(), negative_energy.detach()),
            "saturation": self.saturation(negatives) - self.saturation(batch.x),
        }
        return Result({"energy": loss}, state, {name: scalar(value) for name, value in metrics.items()})

    def contrast(self, data: Tensor, negatives: Tensor) -> Tensor:
        if self.form == "softplus":
            return F.softplus(data - negatives).mean()
        if self.form == "logsumexp":
            return data.mean() - (torch.softmax(-negatives, 0).detach() * negatives).sum()
        return data.mean() - negatives.mean()

    @property
    def inertial(self) -> bool:
        """Whether chains rest with the momentum that they go on with."""
        return getattr(self.kernel, "inertial", False) and self.buffer.policy == "slots"

    def momentum(self, state: State, slots: Tensor, rng: Generator, like: Tensor) -> Tensor | None:
        """The momentum of drawn chains; standard normal for those that begin anew."""
        if not self.inertial:
            return None
        momentum, anew = state["momentum"][slots], state["visits"][slots] == 0
        momentum[anew] = torch.randn(momentum[anew].shape, generator=rng, dtype=momentum.dtype)
        return momentum.to(like.device)

    def chain_end(
        self, energy: Energy, chained: Energy, start: Tensor, rng: Generator, momentum: Tensor | None = None
    ) -> Samples:
        """The negatives; differentiable through the last transition if the KL term needs it."""
        streams, early = Streams.of(rng, start), self.steps - bool(self.kl)
        with nullcontext() if self.dropout else evaluating(energy):
            chain = advance(chained, start, self.kernel, early, streams, momentum=momentum, engine=self.engine)
            if not self.kl:
                return chain
            last = self.kernel.init(chained, chain.x)._replace(momentum=chain.momentum)
            state, info = self.kernel.step(chained, last, streams)
            seen = chain.info._replace(gradient=info.gradient.detach()) if early == 0 else chain.info
            return Samples(state.x, None, seen, state.momentum)

    def kl_term(self, energy: Energy, end: Tensor) -> Tensor:
        """E at the ends of the chains with the weights held fixed: gradients flow through the transition only."""
        fixed = {name: value.detach() for name, value in energy.named_parameters()}
        with evaluating(energy):
            values: Tensor = functional_call(energy, fixed, (end,))
        return values.mean()

    def saturation(self, x: Tensor) -> Tensor:
        """Fraction of entries at the chain's bounds; zero where the kernel has none."""
        bounds = getattr(self.kernel, "bounds", None)
        if bounds is None:
            return x.new_zeros(())
        return ((x <= bounds[0] + EDGE) | (x >= bounds[1] - EDGE)).float().mean()


def separation(data: Tensor, negatives: Tensor) -> Tensor:
    """The part of all pairs in which the data's energy is the lower."""
    lower = torch.searchsorted(negatives.sort().values, data, right=True)
    return 1 - lower.float().mean() / len(negatives)
