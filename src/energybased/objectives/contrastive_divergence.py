"""Persistent contrastive divergence with a replay buffer (Tieleman 2008, Du & Mordatch 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, get_args

import torch
from torch import Generator, Tensor
from torch.nn.utils import parametrize

from energybased.conditions import concatenated, mapped, tensors
from energybased.energies import as_energy
from energybased.errors import require
from energybased.networks import power_iteration
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar
from energybased.sampling import Engine, Kernel, Streams, advance
from energybased.sampling.replay import ReplayBuffer

EDGE = 1 / 255  # a pixel within this distance of a bound counts as saturated
REFRESHED = 0.2  # fraction of the chains that start anew after a rollback


@dataclass(frozen=True)
class ContrastiveDivergence:
    """L = mean E(x+) - mean E(x-) + energy_l2 (mean E(x+)^2 + mean E(x-)^2) (Du & Mordatch 2019, algorithm 1).

    x+ are data. x- are negatives: the last states of chains from the replay buffer after `steps` transitions of
    `kernel`. Fresh chains start from uniform noise for pixels, from a standard normal for real numbers, and from the
    base of a `TiltedMixture`. Conditional chains run under the conditions that the buffer returns with them.

    Args:
        kernel: the transition of the chains.
        steps: transitions per update.
        buffer: settings of the replay buffer.
        energy_l2: weight of the penalty on squared energies (alpha in the paper, where it is 1).
        dropout: run the chains in train mode, as the paper does for its unconditional CIFAR-10 model.
        classes: number of classes, for a buffer by class.
        engine: how the chains are computed, "eager" or "compiled"; see `sample`.

    Raises:
        UserError: for settings out of range.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (
        Vital("gap_in_sigmas", -90.0, 9.0, 20, "lower the learning rate or raise energy_l2"),
        Vital("chain_gradient", 1e-3, 1e4, 100, "lower the learning rate, or clip the chain's gradient"),
        Vital("separation", 0.02, 0.98, 200, "take more sampler steps per update, or lower the learning rate"),
        Vital("saturation", -1.0, 0.3, 200, "lower step_size or raise noise_scale"),
    )

    kernel: Kernel
    steps: int = 60
    buffer: ReplayBuffer = ReplayBuffer()
    energy_l2: float = 0.0
    dropout: bool = False
    classes: int = 0
    engine: Engine = "eager"

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.energy_l2 >= 0, f"energy_l2 must not be negative, got {self.energy_l2}")
        require(self.engine in get_args(Engine), f"engine is 'eager' or 'compiled', got {self.engine!r}")

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        energy = as_energy(parts["energy"])
        buffer = self.buffer.share(batch.shards)
        state = buffer.init(lambda n: batch.starts(energy, n, rng), rng, batch.y, self.classes)
        n, capacity = len(batch.x), len(state["x"])
        require(n <= capacity, f"a batch of {n} is larger than the replay buffer's capacity {capacity}")
        momentum = torch.zeros(state["x"].shape, dtype=batch.x.dtype, device="cpu")
        return {**state, "momentum": momentum} if self.inertial else state

    def refresh(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> State:
        energy = as_energy(parts["energy"])
        self.buffer.refresh(state, REFRESHED, lambda n: batch.starts(energy, n, rng), rng)
        return state

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        energy, x = as_energy(parts["energy"]), batch.x
        power_iteration(energy)
        start, y, slots = self.buffer.sample(state, len(x), lambda n: batch.starts(energy, n, rng), rng, batch.y)
        momentum = self.momentum(state, slots, rng)
        start, momentum = start.to(x), None if momentum is None else momentum.to(x)
        y = mapped(y, lambda part: part.to(x.device))
        chained = energy if y is None else energy.given(*tensors(y))
        end = advance(
            chained,
            start,
            self.kernel,
            self.steps,
            Streams.of(rng, start),
            momentum=momentum,
            engine=self.engine,
            keep_mode=self.dropout,
        )
        negatives = end.x.detach()
        if end.momentum is not None and self.inertial:
            state["momentum"][slots] = end.momentum.detach().cpu()
        self.buffer.write(state, slots, negatives, y)

        with parametrize.cached():
            both = None if y is None else concatenated(batch.y, y)
            data_energy, negative_energy = energy(torch.cat([x, negatives]), both).chunk(2)
        gap = data_energy.mean() - negative_energy.mean()
        loss = gap + self.energy_l2 * (data_energy.square().mean() + negative_energy.square().mean())
        metrics = {
            "loss": loss,
            "gap": gap,
            "gap_in_sigmas": gap / math.sqrt(x[0].numel() / 2),  # the standard deviation of the energy of a Gaussian
            "energy_data": data_energy.mean(),
            "energy_negatives": negative_energy.mean(),
            "chain_gradient": end.info.gradient.mean(),
            "chain_movement": end.info.movement.mean(),
            "separation": separation(data_energy.detach(), negative_energy.detach()),
            "saturation": self.saturation(negatives) - self.saturation(x),
        }
        return Result({"energy": loss}, state, {name: scalar(value) for name, value in metrics.items()})

    @property
    def inertial(self) -> bool:
        """Whether the buffer keeps the momentum of the chains, so that they continue with it."""
        return getattr(self.kernel, "inertial", False) and self.buffer.policy == "slots"

    def momentum(self, state: State, slots: Tensor, rng: Generator) -> Tensor | None:
        """The momentum `(n, *event)` of the chains in `slots`, `(n,)`; standard normal for those that start anew."""
        if not self.inertial:
            return None
        momentum, anew = state["momentum"][slots], state["visits"][slots] == 0
        momentum[anew] = torch.randn(momentum[anew].shape, generator=rng, dtype=momentum.dtype, device="cpu")
        return momentum

    def saturation(self, x: Tensor) -> Tensor:
        """Fraction of the entries of x that are at the kernel's bounds, 0-d; zero if it has no bounds."""
        bounds = getattr(self.kernel, "bounds", None)
        if bounds is None:
            return x.new_zeros(())
        return ((x <= bounds[0] + EDGE) | (x >= bounds[1] - EDGE)).float().mean()


def separation(data: Tensor, negatives: Tensor) -> Tensor:
    """Fraction of pairs in which the data have a lower energy than the negatives, 0-d.

    Args:
        data: energies of data, `(n,)`.
        negatives: energies of negatives, `(m,)`.
    """
    lower = torch.searchsorted(negatives.sort().values, data, right=True)
    return 1 - lower.float().mean() / len(negatives)
