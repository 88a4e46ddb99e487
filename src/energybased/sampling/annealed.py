"""Annealed importance sampling (Neal 2001): from samples of one density, weighted samples of another and Z's ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from energybased.energy import Energy, EnergyLike, as_energy
from energybased.errors import require
from energybased.sampling.adaptation import Accepting, with_log_step
from energybased.sampling.engine import AnyEngine, chains
from energybased.sampling.frozen import frozen
from energybased.sampling.kernel import State
from energybased.sampling.running import Start
from energybased.sampling.streams import Streams

ADAPTATION_RATE = 0.5  # change of log step_size per unit of error in the acceptance rate
BISECTIONS = 30  # steps of the bisection that finds the next level
MAX_LEVELS = 1000  # per added energy


class Estimate(NamedTuple):
    """An estimate of log Z, or of the logarithm of a ratio of two Z.

    Args:
        value: the estimate, in nats.
        error: its standard error in nats, too small if no chain has reached the states of largest weight.
        ess: effective sample size of the weights of n chains, 1 ... n.
    """

    value: float
    error: float
    ess: float


class Annealed(NamedTuple):
    """Weighted samples of the last density of a path.

    Args:
        x: the last states, `(batch, *event)`.
        log_weights: logarithms of their importance weights, `(batch,)`, in float64.
        kernel: the kernel with its last step size.
        resampled: whether chains were resampled on the path. The weights then give no standard error.
    """

    x: Tensor
    log_weights: Tensor
    kernel: Accepting
    resampled: bool = False

    def estimate(self) -> Estimate:
        """Estimates log Z_last - log Z_first by log mean_i w_i.

        If the chains start at exact samples, the expectation of the estimate is a lower bound. The standard error is
        that of the delta method. Error and effective sample size are NaN if chains were resampled on the path; estimate
        the error then by the spread over several runs.
        """
        largest = self.log_weights.max()
        weights = (self.log_weights - largest).exp()
        mean = weights.mean()
        error = math.nan if self.resampled else float(weights.std() / mean) / math.sqrt(len(weights))
        ess = math.nan if self.resampled else self.ess()
        return Estimate(float(largest + mean.log()), error, ess)

    def ess(self) -> float:
        """The effective sample size of the weights since the last resampling, (sum w)^2 / sum w^2, in 1 ... n."""
        weights = (self.log_weights - self.log_weights.max()).exp()
        return float(weights.sum().square() / weights.square().sum())

    def resample(self, generator: Generator | None = None) -> Tensor:
        """The states `(batch, *event)`, resampled in proportion to their weights by systematic resampling."""
        n, place = len(self.x), torch.device("cpu") if generator is None else generator.device
        offset = torch.rand((), generator=generator, dtype=torch.float64, device=place).to(self.x.device)
        places = (torch.arange(n, dtype=torch.float64, device=self.x.device) + offset) / n
        edges = self.log_weights.softmax(0).cumsum(0)
        return self.x[torch.searchsorted(edges, places).clamp(max=n - 1)]


def pooled(groups: Sequence[Annealed]) -> Estimate:
    """The estimate from groups of chains of one size that are independent of each other.

    The value is the logarithm of the mean of the groups' estimates of the ratio of the two Z; its error is the standard
    error between groups.
    """
    values = torch.tensor([group.estimate().value for group in groups], dtype=torch.float64, device="cpu")
    count = len(values)
    error = float(count * values.softmax(0).std()) / math.sqrt(count)
    return Estimate(float(values.logsumexp(0)) - math.log(count), error, sum(group.ess() for group in groups))


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
    engine: AnyEngine = "eager",
) -> Annealed:
    """Annealed importance sampling from the energy `first` to first + added_1 + added_2 + ... (Neal 2001).

    The energies are added one after the other, each in `levels` equal parts. At each level the weights are multiplied
    by exp(E_before(x) - E_now(x)), and then the kernel moves the chains. The step size is adapted to their acceptance,
    so the bounds of `Annealed.estimate` hold only approximately. For the reverse path, from an energy b back to a, use
    `anneal(b, [a - b], ...)`. If it starts at exact samples of b, the negative of its estimate is, in expectation, an
    upper bound of log Z_b - log Z_a.

    Args:
        first: an energy, or a module or function that returns `(batch,)`.
        added: the energies to add, of the same kinds.
        start: `(batch, *event)`, samples of exp(-first).
        kernel: MALA or HMC.
        levels: number of levels per added energy, unless `target_ess` is given.
        steps: transitions at each level.
        target_ess: if given, levels are chosen adaptively. Each level reduces the effective sample size to this
            fraction (Zhou, Johansen & Aston 2016), and the chains are resampled when it is below half their number (Del
            Moral, Doucet & Jasra 2006).
        engine: see `sample`. One program serves all levels of an added energy.

    Raises:
        UserError: for settings out of range, an energy that is not finite, or more than 1,000 levels for one energy.
    """
    require(levels >= 1 and steps >= 1, f"levels and steps must be at least 1, got {levels} and {steps}")
    require(target_ess is None or 0 < target_ess < 1, f"target_ess must be between 0 and 1, got {target_ess}")
    streams, x, log_step = Streams.of(generator, start), start, math.log(kernel.step_size)
    log_weights, resampled = torch.zeros(len(start), dtype=torch.float64, device=start.device), False
    path: Energy = as_energy(first)
    state: State | None = None
    for energy in map(as_energy, added):
        before, extra, beta, level = frozen(path), frozen(energy), 0.0, 0
        while beta < 1:
            value, grad = extra.value_and_grad(x)
            log_ratio, level = -value.double(), level + 1
            require(target_ess is None or level <= MAX_LEVELS, f"an added energy needs more than {MAX_LEVELS} levels")
            require(bool(log_ratio.isfinite().all()), "an energy is not finite at the states of the chains")
            next_beta = level / levels if target_ess is None else largest_step(log_ratio, log_weights, target_ess, beta)
            more = next_beta - beta
            beta, log_weights = next_beta, log_weights + more * log_ratio
            state = None if state is None else heavier(state, more, value, grad)
            now = Annealed(x, log_weights, kernel)
            if target_ess is not None and now.ess() < 0.5 * len(x):
                resampled, mean = True, now.estimate().value
                x, log_weights, state = now.resample(generator), torch.full_like(log_weights, mean), None
            tempered = before + extra * torch.tensor(beta, device=x.device)  # a tensor: one program for all levels
            begun = Start(tempered, with_log_step(kernel, log_step), x, streams, state=state)
            running = chains(engine, begun, steps)
            running.advance(steps)
            state, accepted = running.state, running.accepted
            x, rate = state.x, 1.0 if accepted is None else float(accepted.mean()) / steps
            require(math.isfinite(rate), "an energy is not finite at the states of the chains")
            log_step += ADAPTATION_RATE * (rate - kernel.optimal_acceptance)
        path = path + energy
    return Annealed(x, log_weights, with_log_step(kernel, log_step), resampled)


def heavier(state: State, more: float, value: Tensor, grad: Tensor) -> State | None:
    """The state under an energy that has grown by `more` E; None if the kernel keeps no energies and gradients.

    Args:
        state: before.
        more: weight of the added energy.
        value: E at the state, `(batch,)`.
        grad: its gradient, `(batch, *event)`.
    """
    if state.value is None or state.grad is None:
        return None
    return state._replace(value=state.value + more * value, grad=state.grad + more * grad)


def largest_step(log_ratio: Tensor, log_weights: Tensor, target_ess: float, beta: float) -> float:
    """The next level, in beta ... 1, at which the effective sample size is `target_ess` times its value at `beta`.

    It is 1 if the effective sample size stays larger. From level a to level b, weights are multiplied by
    exp((b - a) log_ratio).

    Args:
        log_ratio: minus the added energy at the states of the chains, `(batch,)`.
        log_weights: logarithms of the weights at `beta`, `(batch,)`.
        target_ess: in (0, 1).
        beta: the present level.
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
