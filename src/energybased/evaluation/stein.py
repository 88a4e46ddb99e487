"""The kernel Stein discrepancy of samples to the density of an energy."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from energybased.energy import EnergyLike, as_energy
from energybased.errors import require
from energybased.evaluation.outcome import Outcome, as_rows, squared_median_distance
from energybased.models.model import CHUNK

BOOTSTRAPS = 1000


def kernel_stein_discrepancy(energy: EnergyLike, x: Tensor, generator: Generator | None = None) -> Outcome:
    """The squared kernel Stein discrepancy of independent samples to exp(-E) / Z (Liu, Lee & Jordan 2016).

    With s = -grad E it is the mean over i != j of
    s(x_i) . s(x_j) k + s(x_i) . grad_j k + s(x_j) . grad_i k + tr(grad_i grad_j k), an unbiased estimate that may be
    negative. The kernel is the inverse multiquadric k = (1 + |x_i - x_j|^2 / h^2)^(-1/2), which detects samples that do
    not converge (Gorham & Mackey 2017); h is the median distance. Z is not needed. The p-value comes from 1,000 wild
    bootstraps, sum of e_i e_j u_ij with random signs e (Chwialkowski, Strathmann & Gretton 2016). It is too small for
    samples that depend on each other. The discrepancy hardly sees how much mass each of several distant modes has.

    Args:
        energy: an energy, or a module or function that maps `(batch, *event)` to `(batch,)`.
        x: samples, `(n, *event)`, in the units of the energy.
        generator: draws the signs; torch's global generator if not given.

    Raises:
        UserError: for fewer than two samples, equal samples, or scores that are not finite.

    >>> from energybased import StandardNormal
    >>> g = torch.Generator().manual_seed(0)
    >>> kernel_stein_discrepancy(StandardNormal(2), 1.0 + torch.randn(100, 2, generator=g), g).p_value < 0.01
    True
    """
    rows, n = as_rows(x), len(x)
    scores = as_rows(score_function(energy, x))
    stein = stein_kernel(rows, scores, squared_median_distance(rows)).fill_diagonal_(0)
    place = torch.device("cpu") if generator is None else generator.device
    signs = 2.0 * torch.randint(2, (BOOTSTRAPS, n), generator=generator, device=place).cpu().double() - 1
    pairs = n * (n - 1)
    return Outcome.of(stein.sum() / pairs, ((signs @ stein) * signs).sum(1) / pairs)


@torch.no_grad()
def score_function(energy: EnergyLike, x: Tensor) -> Tensor:
    """-grad E(x) `(n, *event)` of x `(n, *event)`, part by part.

    Raises:
        UserError: if a gradient is not finite.
    """
    found = as_energy(energy)
    parts = torch.arange(len(x), device=x.device).split(CHUNK)
    scores = torch.cat([-found.select(rows).value_and_grad(x[rows])[1] for rows in parts])
    require(bool(scores.isfinite().all()), "the energy has gradients that are not finite")
    return scores


def stein_kernel(x: Tensor, scores: Tensor, h2: float) -> Tensor:
    """The Stein kernel `(n, n)` of the inverse multiquadric with squared bandwidth h2.

    Args:
        x: samples, `(n, dim)`.
        scores: -grad E at the samples, `(n, dim)`.
        h2: squared bandwidth, in units of x^2.
    """
    r2 = torch.cdist(x, x).square()
    cross = scores @ x.T
    own = cross.diagonal()
    along = own[:, None] - cross - cross.T + own  # (s_i - s_j) . (x_i - x_j)
    q = 1 + r2 / h2
    trace = x.shape[1] * q**-1.5 / h2 - 3 * r2 * q**-2.5 / h2**2
    return scores @ scores.T * q**-0.5 + along * q**-1.5 / h2 + trace
