"""Sampling by a replay buffer at test time, and by the historical ensemble (Du & Mordatch 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from energybased.errors import require
from energybased.models import EnergyModel
from energybased.models.degradation import normal
from energybased.sampling import Streams
from energybased.sampling.chain import advance


@dataclass(frozen=True)
class ReplaySampling:
    """Chains in a buffer that are visited at random, and some of which start anew or change their class.

    The sampler of the newest model says how many transitions a visit has, and how probable it is that a chain starts
    anew or changes its class. Chains keep their momentum, if the kernel has one.

    With several models, each round runs the chains of the next one in turn: the historical ensemble, whose models have
    the weights of a training at several steps. It mixes modes that chains under a single energy do not leave.

    Args:
        rounds: visits to the buffer, each of `batch` chains.
        frozen: rounds at the end in which no chain starts anew or changes its class.
        batch: chains that a round draws, without replacement.
        size: chains of a buffer; more samples come from several buffers.

    Raises:
        UserError: for settings out of range.
    """

    rounds: int = 200
    frozen: int = 10
    batch: int = 512
    size: int = 1000

    def __post_init__(self) -> None:
        require(1 <= self.frozen <= self.rounds, f"frozen must be in 1 ... rounds, got {self.frozen} of {self.rounds}")
        require(min(self.batch, self.size) >= 1, "batch and size must be at least 1")

    def sample(self, models: Sequence[EnergyModel], n: int, generator: Generator) -> Tensor:
        """n samples `(n, *event)`, denoised, in the user's units.

        Args:
            models: one model, or those of an ensemble, the newest last. They are unconditional or conditional on a
                class; samples then begin with classes in turn.
            n: number of samples.
            generator: source of random numbers.

        Raises:
            UserError: if a model has no sampler or needs another condition, or chains end in numbers that are not
                finite.
        """
        require(len(models) > 0, "an ensemble needs at least one model")
        require(n >= 1, f"n must be at least 1, got {n}")
        require("chains" in models[-1].offers, "the model has no sampler, or is conditional on more than a class")
        fixed = any(model.rows is not None for model in models)
        require(
            not fixed, "the chains of a round are drawn at random: a model cannot be given a condition for each row"
        )
        counts = [min(self.size, n - first) for first in range(0, n, self.size)]
        return torch.cat([self._buffer(models, count, generator) for count in counts])

    def _buffer(self, models: Sequence[EnergyModel], size: int, rng: Generator) -> Tensor:
        newest = models[-1]
        sampler, classes = newest.sampler, newest.classes
        assert sampler is not None
        x = newest.start(size, generator=rng)
        y = torch.arange(size) % max(classes, 1)
        momentum = normal(x, rng) if getattr(sampler.kernel, "inertial", False) else None
        for i in range(self.rounds):
            rows = torch.randperm(size, generator=rng)[: self.batch]
            if i < self.rounds - self.frozen:
                anew, other = (
                    rows[torch.rand(len(rows), generator=rng) < p] for p in (sampler.restart, sampler.relabel)
                )
                if len(anew):
                    x[anew] = newest.start(len(anew), generator=rng)
                    if momentum is not None:
                        momentum[anew] = normal(x[anew], rng)
                y[other] = torch.randint(max(classes, 1), (len(other),), generator=rng)
            model = models[i % len(models)]
            energy = model.given(y[rows]).energy if classes else model.energy
            going = None if momentum is None else momentum[rows]
            streams = Streams.of(rng, x[rows])
            engine = sampler.resolved_engine
            end = advance(energy, x[rows], sampler.kernel, sampler.steps, streams, momentum=going, engine=engine)
            x[rows] = end.x
            if momentum is not None and end.momentum is not None:
                momentum[rows] = end.momentum
        lost = int((~x.isfinite()).flatten(1).any(1).sum())
        require(lost == 0, f"{lost} of {size} chains of the buffer are not finite: the model has diverged")
        return (newest.given(y) if classes else newest).denoise(x)
