"""R-hat and effective sample size in constant memory.

Each chain is cut into a few batches of steps, of which only sums are kept.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from energybased.sampling.kernel import Info, norms

ENOUGH = 20  # fewer steps than this say nothing about convergence


class ChainInfo(NamedTuple):
    """What a run of chains reports. `r_hat` and `ess` are NaN after fewer than twenty steps."""

    acceptance: Tensor  # mean acceptance probability of each chain, (batch,)
    movement: Tensor  # mean Euclidean length of each chain's steps, (batch,)
    gradient: Tensor  # mean norm of the energy's gradient along each chain, (batch,)
    r_hat: Tensor  # split R-hat of every entry, (*event,); near 1 when chains agree (Gelman et al. 2013, eq. 11.4)
    ess: Tensor  # effective sample size over all chains and steps of every entry, (*event,), by batch means


class Tally(NamedTuple):
    """Sums along chains, a part of the step that is computed; those of x only where they are needed."""

    acceptance: Tensor  # (batch,), as all in float64
    gradient: Tensor
    movement: Tensor
    origin: Tensor | None = None  # (batch, *event): sums of x are about the start, so that squares keep their digits
    total: Tensor | None = None
    square: Tensor | None = None

    def add(self, before: Tensor, after: Tensor, info: Info) -> Tally:
        counted = (
            self.acceptance + info.acceptance,
            self.gradient + info.gradient,
            self.movement + norms(after - before),
        )
        if self.origin is None or self.total is None or self.square is None:
            return Tally(*counted)
        shifted = after - self.origin
        return Tally(*counted, self.origin, self.total + shifted, self.square + shifted.square())


class Diagnostics:
    """Makes `ChainInfo` of the tallies of a chain while it runs; nothing is synchronised before `info`."""

    def __init__(self, x: Tensor, steps: int) -> None:
        # Batch means need some twenty batches over all chains; R-hat needs two a chain.
        self.batches = 2 * max(1, -(-10 // len(x)))
        self.length = steps // self.batches if steps >= ENOUGH else 0
        self.first = steps - self.length * self.batches  # the earliest steps fill no batch
        self.steps, self.shape = 0, x.shape
        zeros = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        self.tally = Tally(zeros, zeros, zeros)
        if self.length:
            origin = x.double()
            self.sums = torch.zeros((self.batches, *x.shape), dtype=torch.float64, device=x.device)
            self.squares = torch.zeros((2, *x.shape), dtype=torch.float64, device=x.device)
            self.tally = Tally(zeros, zeros, zeros, origin, torch.zeros_like(origin), torch.zeros_like(origin))

    def ahead(self) -> int:
        """How many steps may be taken before the next `update`."""
        return self.length - (self.steps - self.first) % self.length if self.length else ENOUGH

    def update(self, tally: Tally, steps: int) -> None:
        """Takes the tally of so many more steps; between two batches the sums of x begin anew."""
        self.tally, self.steps = tally, self.steps + steps
        batch, inside = divmod(self.steps - self.first, self.length or 1)
        if not self.length or inside or batch < 0:
            return
        assert tally.total is not None and tally.square is not None
        if batch > 0:
            self.sums[batch - 1] = tally.total
            self.squares[2 * (batch - 1) // self.batches] += tally.square
        self.tally = tally._replace(total=torch.zeros_like(tally.total), square=torch.zeros_like(tally.square))

    def info(self) -> ChainInfo:
        batch, *event = self.shape
        n = max(self.steps, 1)
        r_hat = ess = torch.full(event, torch.nan, dtype=torch.float64, device=self.tally.acceptance.device)
        if self.length:
            assert self.tally.origin is not None
            half = self.length * self.batches // 2  # steps in a half chain
            sums, origin = self.sums.unflatten(0, (2, -1)).sum(1), self.tally.origin
            within = ((self.squares - sums.square() / half) / (half - 1)).flatten(0, 1).mean(0)
            means = (sums / half + origin).flatten(0, 1)
            between = means.var(0)
            total = (half - 1) / half * within + between
            r_hat = (total / within).sqrt()
            batch_means = (self.sums / self.length + origin).flatten(0, 1)
            ess = self.length * self.batches * batch * total / (self.length * batch_means.var(0))
        tally = self.tally
        return ChainInfo(tally.acceptance / n, tally.movement / n, tally.gradient / n, r_hat, ess)
