"""Convergence of chains: rank-normalised R-hat and effective sample sizes (Vehtari et al. 2021).

Both are computed on first access, from a number of recorded states that does not grow with the length of the chain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from energybased.sampling.kernel import Info, norms

ENOUGH = 20  # fewest steps for which convergence is assessed
RECORDED = 200  # most states that are recorded per chain, evenly spaced
MEASURED = 20  # most recorded steps at which the lengths of gradients and steps are measured
ENTRIES = 64  # for events with more entries, only the energy is recorded
NUMBERS = 2**18  # about the most numbers recorded in total; with many chains, fewer states per chain are recorded


@dataclass(frozen=True, eq=False)
class ChainInfo:
    """Diagnostics of a run of chains.

    R-hat and effective sample sizes are computed in float64 on first access, from up to 200 evenly spaced states of
    each chain (fewer, if these are more than 2^18 numbers). They are NaN after fewer than 20 steps, and for an entry
    that never changes. For events of more than 64 entries only the energy is recorded, and those of entries are NaN.

    Args:
        acceptance: mean acceptance probability of each chain, `(batch,)`.
        movement: Euclidean length of the steps of each chain, `(batch,)`, in units of x: the mean over up to 20 of the
            recorded steps, or the length of the last step where none is recorded.
        gradient: Euclidean norm of the energy's gradient, `(batch,)`, averaged over the same steps.
        event: shape of one state.
        states: recorded states, `(recorded, batch, entries)`.
        energies: recorded energies, `(recorded, batch)`.
        engine: "eager" or "compiled", as the chains were computed.
    """

    acceptance: Tensor
    movement: Tensor
    gradient: Tensor
    event: tuple[int, ...]
    states: Tensor | None = None
    energies: Tensor | None = None
    engine: str = "eager"

    @cached_property
    def r_hat(self) -> Tensor:
        """Rank-normalised split R-hat of every entry, `(*event,)`: near 1 if the chains agree.

        Vehtari et al. 2021 recommend R-hat < 1.01 and an effective sample size of at least 100 per chain.
        """
        return self._of_entries(r_hat)

    @cached_property
    def ess_bulk(self) -> Tensor:
        """Effective sample size for the location of every entry, `(*event,)`, over all chains.

        It is at most N log10 N for N recorded states in all chains.
        """
        return self._of_entries(ess_bulk)

    @cached_property
    def ess_tail(self) -> Tensor:
        """Effective sample size for the 5 % and 95 % quantiles of every entry, the smaller of both, `(*event,)`."""
        return self._of_entries(ess_tail)

    @property
    def ess(self) -> Tensor:
        """The same as `ess_bulk`, `(*event,)`."""
        return self.ess_bulk

    @cached_property
    def energy_r_hat(self) -> Tensor:
        """R-hat of the energy, 0-d."""
        return self._of_energy(r_hat)

    @cached_property
    def energy_ess(self) -> Tensor:
        """Effective sample size for the location of the energy, 0-d."""
        return self._of_energy(ess_bulk)

    @cached_property
    def energy_ess_tail(self) -> Tensor:
        """Effective sample size for the 5 % and 95 % quantiles of the energy, the smaller of both, 0-d."""
        return self._of_energy(ess_tail)

    @staticmethod
    def join(parts: Sequence[ChainInfo]) -> ChainInfo:
        """The diagnostics of the chains of all parts together, which must have run for the same number of steps."""
        columns = {f.name: [getattr(part, f.name) for part in parts] for f in fields(ChainInfo)}
        joined: dict[str, Any] = {}
        for name, values in columns.items():
            if isinstance(values[0], Tensor):
                joined[name] = torch.cat(values, min(1, values[0].ndim - 1))
        return replace(parts[0], **joined)

    def _of_entries(self, diagnostic: Callable[[Tensor], Tensor]) -> Tensor:
        if self.states is None:
            return self.acceptance.new_full(self.event, torch.nan)
        return torch.stack([diagnostic(entry) for entry in self.states.unbind(2)]).view(self.event)

    def _of_energy(self, diagnostic: Callable[[Tensor], Tensor]) -> Tensor:
        return self.acceptance.new_tensor(torch.nan) if self.energies is None else diagnostic(self.energies)


class Last(NamedTuple):
    """Quantities of the last transition, each `(batch,)`.

    Args:
        energy: see `Info`.
        gradient: Euclidean norm of the gradient.
        movement: Euclidean length of the step.
    """

    energy: Tensor
    gradient: Tensor
    movement: Tensor

    @staticmethod
    def of(before: Tensor, after: Tensor, info: Info) -> Last:
        """The quantities of the transition from `before` to `after`, both `(batch, *event)`; NaN if unknown."""
        movement = norms(after - before)
        unknown = torch.full_like(movement, torch.nan)
        gradient = unknown if info.gradient is None else norms(info.gradient)
        return Last(unknown if info.energy is None else info.energy, gradient, movement)


class Diagnostics:
    """Records evenly spaced states of running chains, in memory that does not grow with their length.

    Args:
        x: the first states, `(batch, *event)`.
        steps: number of transitions that will follow.
        record: whether states and energies are recorded. The lengths of gradients and steps are measured in any case:
            at up to 20 of the recorded transitions, or at the last one.
    """

    def __init__(self, x: Tensor, steps: int, record: bool = True) -> None:
        numbers = max(1, len(x) * min(x[0].numel(), ENTRIES))  # of one recorded state of all chains
        most = min(RECORDED, max(ENOUGH, NUMBERS // numbers))
        self.every = max(1, -(-steps // most))
        count = steps // self.every if record and steps >= ENOUGH else 0
        self.first = steps - count * self.every  # steps before the first interval, so that the last step is recorded
        self.sparse = max(1, -(-count // MEASURED))  # records from one measured step to the next
        self.steps, self.shape, self.measured = 0, x.shape, 0
        zeros = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        self.gradient, self.movement = zeros, zeros
        self.energies = zeros.new_empty((count, len(x))) if count else None
        small = count > 0 and x[0].numel() <= ENTRIES
        self.states = x.new_empty((count, len(x), x[0].numel())) if small else None
        self.until = self.first + self.every if count else steps  # the next step that is measured

    def record(self, x: Tensor, energy: Tensor, last: Callable[[], Last]) -> None:
        """Records the state after the step `until`; it does not synchronise.

        Args:
            x: the states, `(batch, *event)`.
            energy: their energies, `(batch,)`.
            last: returns the quantities of the last transition.
        """
        place = (self.until - self.first) // self.every - 1
        if self.energies is not None:
            self.energies[place] = energy
            if self.states is not None:
                self.states[place] = x.detach().flatten(1)
        if self.energies is None or (place + 1) % self.sparse == 0:
            _, gradient, movement = last()
            self.gradient, self.movement = self.gradient + gradient, self.movement + movement
            self.measured += 1
        self.steps, self.until = self.until, self.until + self.every

    def info(self, accepted: Tensor | None, engine: str) -> ChainInfo:
        """The diagnostics, given the sums of the acceptance probabilities, `(batch,)`; None if all were 1."""
        n = max(self.measured, 1)
        acceptance = torch.ones_like(self.gradient) if accepted is None else accepted.double() / max(self.steps, 1)
        means = (acceptance, self.movement / n, self.gradient / n)
        return ChainInfo(*means, tuple(self.shape[1:]), self.states, self.energies, engine)


# The functions below map one quantity, recorded along chains, (recorded, batch), to 0-d in float64. They return NaN if
# a number is not finite, and for a constant.


def r_hat(draws: Tensor) -> Tensor:
    """Rank-normalised split R-hat: the larger of R-hat of the draws and of their distances from the median."""
    halves = _halves(draws)
    ordered = halves.flatten().sort().values
    median = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return _defined(draws, torch.maximum(_r_hat(_scores(halves)), _r_hat(_scores((halves - median).abs()))))


def ess_bulk(draws: Tensor) -> Tensor:
    """Effective sample size of the rank-normalised draws."""
    return _defined(draws, _ess(_scores(_halves(draws))))


def ess_tail(draws: Tensor) -> Tensor:
    """Effective sample size for the 5 % and the 95 % quantile, the smaller of both.

    A quantile that no draw exceeds is ignored.
    """
    ordered, halves = draws.double().flatten().sort().values, _halves(draws)
    quantiles = [ordered[int(share * (len(ordered) - 1))] for share in (0.05, 0.95)]
    return _defined(draws, torch.fmin(*(_ess((halves <= q).double()) for q in quantiles)))


def _defined(draws: Tensor, value: Tensor) -> Tensor:
    defined = draws.isfinite().all() & (draws != draws[0, 0]).any()
    return torch.where(defined, value, torch.nan)


def _halves(draws: Tensor) -> Tensor:
    """Splits each chain into two, `(recorded // 2, 2 batch)`; of an odd number, the middle state is dropped."""
    half = len(draws) // 2
    return torch.cat([draws[:half], draws[-half:]], 1).double()


def _scores(draws: Tensor) -> Tensor:
    """The normal quantiles of the ranks among all draws; equal draws share their mean rank."""
    _, inverse, counts = draws.unique(return_inverse=True, return_counts=True)
    ranks = counts.cumsum(0) - (counts - 1) / 2
    return torch.special.ndtri((ranks.double() - 0.375) / (draws.numel() + 0.25))[inverse]


def _r_hat(draws: Tensor) -> Tensor:
    """R-hat = sqrt((n - 1)/n + B/(n W)), with B between and W within chains (Gelman et al. 2013, eq. 11.4)."""
    n = len(draws)
    return ((n - 1) / n + draws.mean(0).var() / draws.var(0).mean()).sqrt()


def _ess(draws: Tensor) -> Tensor:
    """N / tau, with tau from Geyer's initial monotone sequence, as in Stan (Vehtari et al. 2021, eq. 10)."""
    n, chains = draws.shape
    frequencies = torch.fft.rfft(draws - draws.mean(0), n=2 * n, dim=0)
    autocovariance = torch.fft.irfft(frequencies.abs().square(), n=2 * n, dim=0)[:n].mean(1) / n
    within = autocovariance[0] * n / (n - 1)
    total = autocovariance[0] + draws.mean(0).var()
    correlation = 1 - (within - autocovariance) / total
    correlation[0] = 1
    even, odd = correlation[: 2 * max(1, (n - 1) // 2)].unflatten(0, (-1, 2)).unbind(1)
    positive = (even + odd > 0).long().cumprod(0)
    last = positive.sum().clamp(max=len(even) - 1)  # the first pair that is not added in full
    added = torch.where(torch.arange(len(even), device=draws.device) < last, (even + odd).cummin(0).values, 0.0)
    tau = -1 + 2 * added.sum() + even[last].clamp(min=0)
    return n * chains / tau.clamp(min=1 / math.log10(n * chains))
