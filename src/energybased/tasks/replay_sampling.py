"""Sampling by a replay buffer at test time, and by the historical ensemble (Du & Mordatch 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from energybased.errors import require
from energybased.models import EnergyModel
from energybased.sampling import sample


@dataclass(frozen=True)
class ReplaySampling:
    """Chains in a buffer that are visited at random, and some of which start anew or change their class.

    With several models, each round runs the chains of the next one in turn: the historical ensemble, whose models have
    the weights of a training at several steps. It mixes modes that chains under a single energy do not leave.

    Args:
        rounds: visits to the buffer, each of `batch` chains.
        frozen: rounds at the end in which no chain starts anew or changes its class.
        batch: chains that a round draws, with replacement.
        size: chains of a buffer; more samples come from several buffers.
        restart: probability that a visited chain starts anew.
        relabel: probability that a visited chain of a model conditional on a class gets a new random class.

    Raises:
        UserError: for settings out of range.
    """

    rounds: int = 200
    frozen: int = 10
    batch: int = 512
    size: int = 1000
    restart: float = 0.01
    relabel: float = 0.1

    def __post_init__(self) -> None:
        require(1 <= self.frozen <= self.rounds, f"frozen must be in 1 ... rounds, got {self.frozen} of {self.rounds}")
        require(min(self.batch, self.size) >= 1, "batch and size must be at least 1")
        require(0 <= self.restart <= 1 and 0 <= self.relabel <= 1, "restart and relabel are probabilities")

    def sample(self, models: Sequence[EnergyModel], n: int, generator: Generator) -> Tensor:
        """n samples `(n, *event)`, denoised, in the user's units.

        Args:
            models: one model, or those of an ensemble, the newest last. They are unconditional or conditional on a
                class; samples then have random classes.
            n: number of samples.
            generator: source of random numbers.
        """
        require(len(models) > 0, "an ensemble needs at least one model")
        counts = [min(self.size, n - first) for first in range(0, n, self.size)]
        return torch.cat([self._buffer(models, count, generator) for count in counts])

    def _buffer(self, models: Sequence[EnergyModel], size: int, rng: Generator) -> Tensor:
        newest = models[-1]
        sampler, classes = newest.sampler, newest.classes
        require(sampler is not None, "the model has no sampler")
        assert sampler is not None
        x = newest.start(size, generator=rng)
        y = torch.randint(max(classes, 1), (size,), generator=rng)
        for i in range(self.rounds):
            rows = torch.randint(size, (min(self.batch, size),), generator=rng)
            if i < self.rounds - self.frozen:
                anew, other = (torch.rand(len(rows), generator=rng) < p for p in (self.restart, self.relabel))
                if bool(anew.any()):
                    x[rows[anew]] = newest.start(int(anew.sum()), generator=rng)
                y[rows[other]] = torch.randint(max(classes, 1), (int(other.sum()),), generator=rng)
            model = models[i % len(models)]
            energy = model.given(y[rows]).energy if classes else model.energy
            x[rows] = sample(energy, x[rows], sampler.kernel, sampler.steps, rng, engine=sampler.resolved_engine).x
        return (newest.given(y) if classes else newest).denoise(x)
