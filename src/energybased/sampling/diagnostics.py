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


class Diagnostics:
    """Accumulates `ChainInfo` while chains run; nothing is synchronised before `info`."""

    def __init__(self, x: Tensor, steps: int) -> None:
        # Batch means need some twenty batches over all chains; R-hat needs two a chain.
        self.batches = 2 * max(1, -(-10 // len(x)))
        self.length = steps // self.batches if steps >= ENOUGH else 0
        self.first = steps - self.length * self.batches  # the earliest steps fill no batch
        self.origin = x.double()
        self.steps = 0
        if self.length:
            self.sums = torch.zeros((self.batches, *x.shape), dtype=torch.float64, device=x.device)
            self.squares = torch.zeros((2, *x.shape), dtype=torch.float64, device=x.device)
        self.acceptance = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        self.gradient = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        self.movement = torch.zeros(len(x), dtype=torch.float64, device=x.device)

    def update(self, before: Tensor, after: Tensor, info: Info) -> None:
        self.acceptance += info.acceptance
        self.gradient += info.gradient
        self.movement += norms(after - before)
        if self.length and self.steps >= self.first:
            batch = (self.steps - self.first) // self.length
            shifted = after - self.origin  # about the start, so that squares keep their digits
            self.sums[batch] += shifted
            self.squares[2 * batch // self.batches].addcmul_(shifted, shifted)
        self.steps += 1

    def info(self) -> ChainInfo:
        batch, *event = self.origin.shape
        n = max(self.steps, 1)
        r_hat = ess = torch.full(event, torch.nan, dtype=torch.float64, device=self.origin.device)
        if self.length:
            half = self.length * self.batches // 2  # steps in a half chain
            sums = self.sums.unflatten(0, (2, -1)).sum(1)
            within = ((self.squares - sums.square() / half) / (half - 1)).flatten(0, 1).mean(0)
            means = (sums / half + self.origin).flatten(0, 1)
            between = means.var(0)
            total = (half - 1) / half * within + between
            r_hat = (total / within).sqrt()
            batch_means = (self.sums / self.length + self.origin).flatten(0, 1)
            ess = self.length * self.batches * batch * total / (self.length * batch_means.var(0))
        return ChainInfo(self.acceptance / n, self.movement / n, self.gradient / n, r_hat, ess)
