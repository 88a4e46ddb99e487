"""Annealed importance sampling (Neal 2001): from samples of one density, weighted samples of another and Z's ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from energybased.algebra import Combination, Composite
from energybased.energy import Condition, Energy, EnergyLike, as_energy
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

Pair = tuple[float, float]


class Estimate(NamedTuple):
    """An estimate of log Z, or of the logarithm of a ratio of two Z.

    Args:
        value: the estimate, in nats.
        error: its standard error in nats, too small if no chain has reached the states of largest weight. NaN if the
            chains are one population that was resampled, whose weights tell no error.
        ess: effective sample size of the weights of n chains since they were last resampled, 1 ... n: how even they
            are at the end of the path. NaN where the error is.
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
        resampled: whether chains were resampled on the path. The weights of one population then give no standard error.
        populations: number of populations of equal size, one after another, that were resampled independently.
    """

    x: Tensor
    log_weights: Tensor
    kernel: Accepting
    resampled: bool = False
    populations: int = 1

    def split(self, parts: int) -> list[Annealed]:
        """Parts of equal size, one after another, of as many populations each."""
        pairs = zip(self.x.tensor_split(parts), self.log_weights.tensor_split(parts), strict=True)
        return [self._replace(x=x, log_weights=w, populations=self.populations // parts) for x, w in pairs]

    def estimate(self) -> Estimate:
        """Estimates log Z_last - log Z_first by log mean_i w_i.

        If the chains start at exact samples, the expectation of the estimate is a lower bound. With several
        populations, the standard error is that of leaving out each in turn (Efron & Stein 1981), which also holds if
        they differ by many nats, and the effective sample size is the sum of theirs. With one, the standard error is
        that of the delta method, at most 1; error and effective sample size are then NaN if chains were resampled on
        the path.
        """
        if self.populations > 1:
            alone = self.split(self.populations)
            values, count = torch.stack([part.log_weights.logsumexp(0) for part in alone]), self.populations
            without = torch.stack([torch.cat([values[:i], values[i + 1 :]]).logsumexp(0) for i in range(count)])
            error = math.sqrt((count - 1) / count * float((without - without.mean()).square().sum()))
            size = math.log(len(self.log_weights))
            return Estimate(float(values.logsumexp(0)) - size, error, sum(part.ess() for part in alone))
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
        """The states `(batch, *event)` of each population, resampled in proportion to their weights."""
        every = torch.ones(self.populations, dtype=torch.bool, device=self.x.device)
        return self.x[chosen_rows(self.log_weights.view(self.populations, -1), every, generator)]


def ess_fractions(log_weights: Tensor) -> Tensor:
    """Effective sample size of each population as a fraction of its size, of log-weights `(populations, n)`."""
    logs = 2 * log_weights.logsumexp(1) - (2 * log_weights).logsumexp(1)
    return logs.exp() / log_weights.shape[1]


def chosen_rows(log_weights: Tensor, poor: Tensor, generator: Generator | None) -> Tensor:
    """Rows `(populations * n,)` by systematic resampling of the poor populations; the others keep theirs.

    Args:
        log_weights: `(populations, n)`.
        poor: `(populations,)`, whether a population is resampled.
    """
    (count, n), here = log_weights.shape, log_weights.device
    place = torch.device("cpu") if generator is None else generator.device
    offset = torch.rand(count, 1, generator=generator, dtype=torch.float64, device=place).to(here)
    places = (torch.arange(n, dtype=torch.float64, device=here) + offset) / n
    chosen = torch.searchsorted(log_weights.softmax(1).cumsum(1), places).clamp(max=n - 1)
    kept = torch.where(poor[:, None], chosen, torch.arange(n, device=here))
    return (kept + n * torch.arange(count, device=here)[:, None]).flatten()


class Tempered(Composite):
    """E(x) = sum_i w_i E_i(x) + c, where each of w_i and c is a + beta b: a path that evaluates each energy once.

    Args:
        terms: the distinct energies E_i.
        weights: a and b of each w_i.
        constant: a and b of c.
        beta: 0-d. A tensor, so that one program serves all levels.
    """

    beta: Tensor

    def __init__(self, terms: Sequence[Energy], weights: Sequence[Pair], constant: Pair, beta: Tensor) -> None:
        super().__init__(terms)
        self.weights, self.constant = tuple(weights), constant
        self.register_buffer("beta", beta, persistent=False)

    @staticmethod
    def of(first: Energy, added: Energy, beta: Tensor) -> Tempered:
        """first + beta * added."""
        before, more = Combination.of((1.0, first)), Combination.of((1.0, added))
        terms = {id(term): term for term in (*before.terms, *more.terms)}
        weights = {key: [0.0, 0.0] for key in terms}
        for side, energy in enumerate((before, more)):
            for weight, term in zip(energy.weights, energy.terms, strict=True):
                weights[id(term)][side] += weight
        pairs = [(a, b) for a, b in weights.values()]
        return Tempered(list(terms.values()), pairs, (before.constant, more.constant), beta)

    def rebuild(self, terms: Sequence[Energy]) -> Energy:
        return Tempered(terms, self.weights, self.constant, self.beta)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        values = self.values(x, y)
        total = self.at(self.constant, values[0])
        for pair, value in zip(self.weights, values, strict=True):
            total = total + self.at(pair, value) * value
        return total

    def at(self, pair: Pair, like: Tensor) -> Tensor:
        return pair[0] + self.beta.to(like) * pair[1]


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
    populations: int = 1,
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
        populations: into how many of equal size, one after another, the chains are divided. Each is weighted and
            resampled on its own, so that their spread gives an error, or so that they can have densities of their own.
            They share levels, which keep `target_ess` in the worst of them, and the step size.

    Raises:
        UserError: for settings out of range, a kernel that never rejects, an energy that is not finite, or more than
            1,000 levels for one energy.
    """
    require(levels >= 1 and steps >= 1, f"levels and steps must be at least 1, got {levels} and {steps}")
    require(target_ess is None or 0 < target_ess < 1, f"target_ess must be between 0 and 1, got {target_ess}")
    accepting = hasattr(kernel, "optimal_acceptance") and not isinstance(kernel, type)
    require(
        accepting, f"annealing needs a kernel that accepts or rejects, such as MALA(0.5) or HMC(0.5, 2), got {kernel}"
    )
    whole = isinstance(populations, int) and populations >= 1 and len(start) % populations == 0
    require(whole and len(start) > 0, f"{len(start)} chains cannot be divided into {populations} populations")
    several = target_ess is None or len(start) > populations
    require(several, "an effective sample size needs at least two chains in each population")
    streams, x, log_step = Streams.of(generator, start), start, math.log(kernel.step_size)
    log_weights = torch.zeros(populations, len(start) // populations, dtype=torch.float64, device=start.device)
    path, state, resampled = as_energy(first), None, False
    for energy in map(as_energy, added):
        extra, beta, level = frozen(energy), 0.0, 0
        while beta < 1:
            value, grad = extra.value_and_grad(x)
            log_ratio, level = -value.double().view(populations, -1), level + 1
            require(target_ess is None or level <= MAX_LEVELS, f"an added energy needs more than {MAX_LEVELS} levels")
            require(bool(log_ratio.isfinite().all()), "an energy is not finite at the states of the chains")
            next_beta = level / levels if target_ess is None else largest_step(log_ratio, log_weights, target_ess, beta)
            more = next_beta - beta
            beta, log_weights = next_beta, log_weights + more * log_ratio
            state = None if state is None else heavier(state, more, value, grad)
            poor = ess_fractions(log_weights) < 0.5
            if target_ess is not None and bool(poor.any()):
                rows = chosen_rows(log_weights, poor, generator)
                x, state, resampled = x[rows], None if state is None else state.select(rows), True
                means = log_weights.logsumexp(1, keepdim=True) - math.log(log_weights.shape[1])
                log_weights = torch.where(poor[:, None], means, log_weights)
            tempered = frozen(Tempered.of(path, energy, torch.tensor(beta, device=x.device)))
            begun = Start(tempered, with_log_step(kernel, log_step), x, streams, state=state)
            running = chains(engine, begun, steps)
            running.advance(steps)
            state, accepted = running.state, running.accepted
            x, rate = state.x, 1.0 if accepted is None else float(accepted.mean()) / steps
            require(math.isfinite(rate), "an energy is not finite at the states of the chains")
            log_step += ADAPTATION_RATE * (rate - kernel.optimal_acceptance)
        path = path + energy
    return Annealed(x, log_weights.flatten(), with_log_step(kernel, log_step), resampled, populations)


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
    exp((b - a) log_ratio). Of several populations, the worst decides.

    Args:
        log_ratio: minus the added energy at the states of the chains, `(populations, n)`.
        log_weights: logarithms of the weights at `beta`, `(populations, n)`.
        target_ess: in (0, 1).
        beta: the present level.
    """
    least = target_ess * ess_fractions(log_weights)

    def kept(next_beta: float) -> bool:
        return bool((ess_fractions(log_weights + (next_beta - beta) * log_ratio) >= least).all())

    if kept(1.0):
        return 1.0
    near, far = beta, 1.0
    for _ in range(BISECTIONS):
        middle = (near + far) / 2
        near, far = (middle, far) if kept(middle) else (near, middle)
    return far
