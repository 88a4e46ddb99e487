"""Annealed importance sampling: weighted samples of one density from those of another, and the ratio of their Z."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from energybased.energy import EnergyLike, as_energy
from energybased.errors import require
from energybased.sampling.adaptation import Accepting, with_step
from energybased.sampling.chain import advance, evaluating
from energybased.sampling.streams import Streams

ADAPTATION_RATE = 0.5  # how far log step_size moves for an acceptance that is wrong by one
BISECTIONS = 30  # of the interval in which the next level is searched
MAX_LEVELS = 1000  # levels of one energy


class Estimate(NamedTuple):
    """A logarithm of a normalising constant, or of the ratio of two."""

    value: float  # nats
    error: float  # standard error; too small where the weights' tail was not seen
    ess: float  # effective sample size of the weights, 1 ... n


class Annealed(NamedTuple):
    """Weighted samples of the last density of a path."""

    x: Tensor  # the last states, (batch, *event)
    log_weights: Tensor  # logarithms of their importance weights, (batch,), in float64
    kernel: Accepting  # with the last step size
    resampled: bool = False  # whether chains were resampled on the way, after which weights give no error

    def estimate(self) -> Estimate:
        """log Z_last - log Z_first = log mean_i w_i; its expectation is a lower bound if the chains began exactly.

        The error is by the delta method. It and the effective sample size are NaN if chains were resampled on the way;
        then the spread of several runs estimates the error.
        """
        largest = self.log_weights.max()
        weights = (self.log_weights - largest).exp()
        mean = weights.mean()
        error = math.nan if self.resampled else float(weights.std() / mean) / math.sqrt(len(weights))
        ess = math.nan if self.resampled else self.ess()
        return Estimate(float(largest + mean.log()), error, ess)

    def ess(self) -> float:
        """(sum w)^2 / sum w^2, the effective sample size of the weights since the last resampling, 1 ... n."""
        weights = (self.log_weights - self.log_weights.max()).exp()
        return float(weights.sum().square() / weights.square().sum())

    def resample(self, generator: Generator | None = None) -> Tensor:
        """As many states `(batch, *event)`, each repeated in proportion to its weight (systematic resampling)."""
        n, place = len(self.x), torch.device("cpu") if generator is None else generator.device
        offset = torch.rand((), generator=generator, dtype=torch.float64, device=place).to(self.x.device)
        places = (torch.arange(n, dtype=torch.float64, device=self.x.device) + offset) / n
        edges = self.log_weights.softmax(0).cumsum(0)
        return self.x[torch.searchsorted(edges, places).clamp(max=n - 1)]


@torch.no_grad()
def anneal(
    first: EnergyLike,
    added: Sequence[EnergyLike],
    start: Tensor,
    kernel: Accepting,
    levels: int = 100,
    steps: int = 1,
    generator: Generator | None = None,
    target_ess: float | None = None,
) -> Annealed:
    """Annealed importance sampling from the energy `first` to first + added_1 + added_2 + ... (Neal 2001).

    The energies are added one after the other, each in `levels` equal parts. At each level the weights are multiplied
    by exp(E_before(x) - E_now(x)), then the kernel moves the chains. Its step size follows their acceptance, so the
    bounds hold only approximately. From an energy b back to a, use `anneal(b, [a - b], ...)`: with exact samples of b,
    minus its estimate is an upper bound of log Z_b - log Z_a.

    Args:
        first: an energy, or a module or function that returns `(batch,)`.
        added: the energies to add, of the same kinds.
        start: `(batch, *event)`, samples of exp(-first).
        kernel: one that accepts or rejects, MALA or HMC.
        levels: of each energy that is added, unless `target_ess` is given.
        steps: transitions at each level.
        target_ess: choose the levels adaptively instead: each step lets the effective sample size fall to this
            fraction (Zhou, Johansen & Aston 2016), and the chains are resampled when it is below one half (Del Moral,
            Doucet & Jasra 2006).

    Raises:
        UserError: for settings out of range, an energy that is not finite, or more than 1,000 levels of one energy.
    """
    require(levels >= 1 and steps >= 1, f"levels and steps must be at least 1, got {levels} and {steps}")
    require(target_ess is None or 0 < target_ess < 1, f"target_ess must be between 0 and 1, got {target_ess}")
    streams, x, log_step = Streams.of(generator, start), start, math.log(kernel.step_size)
    log_weights, resampled = torch.zeros(len(start), dtype=torch.float64, device=start.device), False
    path = as_energy(first)
    for energy in map(as_energy, added):
        with evaluating(path), evaluating(energy):
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
                moved = advance(path + beta * energy, x, with_step(kernel, log_step), steps, streams)
                x, rate = moved.x, float(moved.info.acceptance.mean())
                require(math.isfinite(rate), "an energy is not finite where the chains are")
                log_step += ADAPTATION_RATE * (rate - kernel.optimal_acceptance)
        path = path + energy
    return Annealed(x, log_weights, with_step(kernel, log_step), resampled)


def largest_step(log_ratio: Tensor, log_weights: Tensor, target_ess: float, beta: float) -> float:
    """The largest level up to 1 at which the effective sample size falls from that at `beta` to `target_ess` of it.

    Weights grow by exp(log_ratio) times the difference of the levels.
    """
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
