"""Annealed importance sampling: samples of one density become those of others, with weights that say how far off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from energybased.energy import Energy
from energybased.errors import require
from energybased.sampling.adaptation import Accepting, with_step
from energybased.sampling.chain import advance, evaluating
from energybased.sampling.streams import Streams

ADAPTATION_RATE = 0.5  # how far log step_size moves for an acceptance that is wrong by one
BISECTIONS = 30  # of what is left of the way, in search of the next level
MAX_LEVELS = 1000  # levels of one energy


class Estimate(NamedTuple):
    """A logarithm of a normalising constant, or of the ratio of two."""

    value: float  # nats
    error: float  # standard error; too small where the weights' tail was not seen
    ess: float  # effective sample size of the weights, 1 ... n


class Annealed(NamedTuple):
    """Chains that went along a path of densities."""

    x: Tensor  # where they are, (batch, *event)
    log_weights: Tensor  # importance weights of the last density, (batch,), in float64
    kernel: Accepting  # with the step that it came to
    resampled: bool = False  # resampled on the way: the weights then say nothing of the error

    def estimate(self) -> Estimate:
        """log Z_last - log Z_first: of chains from exact samples, a lower bound in expectation.

        The error is by the delta method. It and the effective sample size are NaN if chains were resampled on the way:
        compare several runs.
        """
        largest = self.log_weights.max()
        weights = (self.log_weights - largest).exp()
        mean = weights.mean()
        error = math.nan if self.resampled else float(weights.std() / mean) / math.sqrt(len(weights))
        ess = math.nan if self.resampled else self.ess()
        return Estimate(float(largest + mean.log()), error, ess)

    def ess(self) -> float:
        """Effective sample size of the weights since the last resampling."""
        weights = (self.log_weights - self.log_weights.max()).exp()
        return float(weights.sum().square() / weights.square().sum())

    def resample(self, generator: Generator | None = None) -> Tensor:
        """As many chains, each taken as often as its weight says (systematic resampling)."""
        n = len(self.x)
        offset = torch.rand((), generator=generator, dtype=torch.float64)
        places = (torch.arange(n, dtype=torch.float64) + offset) / n
        edges = self.log_weights.cpu().softmax(0).cumsum(0)
        return self.x[torch.searchsorted(edges, places).clamp(max=n - 1).to(self.x.device)]


@torch.no_grad()
def anneal(
    first: Energy,
    added: Sequence[Energy],
    start: Tensor,
    kernel: Accepting,
    levels: int = 100,
    steps: int = 1,
    generator: Generator | None = None,
    target_ess: float | None = None,
) -> Annealed:
    """Takes samples of the first energy to its sum with others, let in one after the other (Neal 2001).

    Each comes in `levels` equal parts. At each level the weights are multiplied by exp(E_before(x) - E_now(x)), then
    the kernel moves the chains; its step size follows their acceptance, which bends both bounds a little. From an
    energy b back to a, `anneal(b, [a - b], ...)`; from exact samples of b, minus its estimate bounds log Z from above.

    Args:
        first: where the chains are samples of.
        added: energies, or what turns one into another.
        start: `(batch, *event)`, samples of the first.
        kernel: one that accepts or rejects, MALA or HMC.
        levels: of each energy that is added, unless `target_ess` is given.
        steps: transitions at each level.
        target_ess: choose the levels adaptively instead: each step lets the effective sample size fall to this
            fraction (Zhou, Johansen & Aston 2016), and the chains are resampled when it is below one half (Del Moral,
            Doucet & Jasra 2006).
    """
    require(levels >= 1 and steps >= 1, f"levels and steps must be at least 1, got {levels} and {steps}")
    require(target_ess is None or 0 < target_ess < 1, f"target_ess must be between 0 and 1, got {target_ess}")
    streams, x, log_step = Streams.of(generator, start), start, math.log(kernel.step_size)
    log_weights, resampled = torch.zeros(len(start), dtype=torch.float64, device=start.device), False
    for energy in added:
        with evaluating(first), evaluating(energy):
            beta, level = 0.0, 0
            while beta < 1:
                log_ratio, level = -energy(x).double(), level + 1
                require(
                    target_ess is None or level <= MAX_LEVELS,
                    f"an energy is too far from the last: more than {MAX_LEVELS} levels",
                )
                require(bool(log_ratio.isfinite().all()), "an energy is not finite where the chains are")
                next_beta = (
                    level / levels if target_ess is None else largest_step(log_ratio, log_weights, target_ess, beta)
                )
                beta, log_weights = next_beta, log_weights + (next_beta - beta) * log_ratio
                now = Annealed(x, log_weights, kernel)
                if target_ess is not None and now.ess() < 0.5 * len(x):
                    resampled, mean = True, now.estimate().value
                    x, log_weights = now.resample(generator), torch.full_like(log_weights, mean)
                moved = advance(first + beta * energy, x, with_step(kernel, log_step), steps, streams)
                x, rate = moved.x, float(moved.info.acceptance.mean())
                require(math.isfinite(rate), "an energy is not finite where the chains are")
                log_step += ADAPTATION_RATE * (rate - kernel.optimal_acceptance)
        first = first + energy
    return Annealed(x, log_weights, with_step(kernel, log_step), resampled)


def largest_step(log_ratio: Tensor, log_weights: Tensor, target_ess: float, beta: float) -> float:
    """How far from `at` towards 1 weights may grow by exp(log_ratio), about `keep` of the chains being effective."""
    log_weights = log_weights.log_softmax(0)

    def kept(next_beta: float) -> bool:
        growth = (next_beta - beta) * log_ratio
        once, twice = (torch.logsumexp(log_weights + power * growth, 0) for power in (1, 2))
        return float(2 * once - twice) >= math.log(target_ess)

    if kept(1.0):
        return 1.0
    near, far = beta, 1.0
    for _ in range(BISECTIONS):
        middle = (near + far) / 2
        near, far = (middle, far) if kept(middle) else (near, middle)
    return far
