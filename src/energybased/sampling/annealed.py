"""Annealed importance sampling: from one density to another, with weights that say how far off the samples are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from energybased.energies.between import Between
from energybased.energy import Energy
from energybased.errors import require
from energybased.sampling.adaptation import Accepting, with_step
from energybased.sampling.chain import advance, evaluating
from energybased.sampling.streams import Streams

RATE = 0.5  # how far log step_size moves for an acceptance that is wrong by one


class Estimate(NamedTuple):
    """A logarithm of a ratio of normalising constants."""

    value: float  # nats
    error: float  # standard error, by the delta method; too small where the weights' tail was not seen
    ess: float  # effective sample size of the weights, 1 ... n


class Annealed(NamedTuple):
    """Chains that went along a path of densities."""

    x: Tensor  # where they are, (batch, *event)
    log_weights: Tensor  # importance weights of the last density, (batch,), in float64
    mixed: bool = False  # resampled on the way: the weights then say nothing of the error

    def estimate(self) -> Estimate:
        """log Z_last - log Z_first: of chains from exact samples, a lower bound in expectation.

        Error and effective sample size are NaN if chains were resampled on the way: compare several runs.
        """
        largest = self.log_weights.max()
        weights = (self.log_weights - largest).exp()
        mean = weights.mean()
        error = math.nan if self.mixed else float(weights.std() / mean) / math.sqrt(len(weights))
        ess = math.nan if self.mixed else self.ess()
        return Estimate(float(largest + mean.log()), error, ess)

    def ess(self) -> float:
        """Effective sample size of the weights since the last resampling."""
        weights = (self.log_weights - self.log_weights.max()).exp()
        return float(weights.sum().square() / weights.square().sum())

    def resampled(self, generator: Generator | None = None) -> Tensor:
        """As many chains, each taken as often as its weight says (systematic resampling)."""
        n = len(self.x)
        offset = torch.rand((), generator=generator, dtype=torch.float64)
        places = (torch.arange(n, dtype=torch.float64) + offset) / n
        edges = self.log_weights.cpu().softmax(0).cumsum(0)
        return self.x[torch.searchsorted(edges, places).clamp(max=n - 1).to(self.x.device)]


@torch.no_grad()
def anneal(
    path: Sequence[Energy],
    start: Tensor,
    kernel: Accepting,
    levels: int = 100,
    steps: int = 1,
    generator: Generator | None = None,
    resample: bool = False,
) -> Annealed:
    """Takes samples of the first energy along a path of energies, with `levels` in between each two (Neal 2001).

    At each level the weights are multiplied by exp(E_before(x) - E_now(x)), then the kernel moves the chains; its
    step size follows their acceptance, which bends both bounds a little. From exact samples of the last energy back
    to the first, minus the estimate is an upper bound in expectation.

    Args:
        path: two energies or more.
        start: `(batch, *event)`, samples of the first.
        kernel: one that accepts or rejects, MALA or HMC.
        levels: between each two energies.
        steps: transitions at each level.
        resample: multiply and drop chains by their weights when those of less than half count (Del Moral, Doucet &
            Jasra 2006).
    """
    require(len(path) >= 2, f"a path has two energies at least, got {len(path)}")
    require(levels >= 1 and steps >= 1, f"levels and steps must be at least 1, got {levels} and {steps}")
    streams, x, log_step = Streams.of(generator, start), start, math.log(kernel.step_size)
    log_weights, mixed = torch.zeros(len(start), dtype=torch.float64, device=start.device), False
    for a, b in pairwise(path):
        with evaluating(a), evaluating(b):
            for i in range(levels):
                log_weights += (a(x) - b(x)).double() / levels
                if resample:
                    now = Annealed(x, log_weights)
                    if now.ess() < 0.5 * len(x):
                        mixed, mean = True, now.estimate().value
                        x, log_weights = now.resampled(generator), torch.full_like(log_weights, mean)
                energy = Between(a, b, (i + 1) / levels)
                moved = advance(energy, x, with_step(kernel, log_step), steps, streams)
                x, rate = moved.x, float(moved.info.acceptance.mean())
                require(math.isfinite(rate), "an energy is not finite where the chains are")
                log_step += RATE * (rate - kernel.optimal_acceptance)
    return Annealed(x, log_weights, mixed)
