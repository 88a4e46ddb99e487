"""The evidence p(x) of a latent model by annealed importance sampling (Neal 2001), from both ends of a path.

The path leads from the base of the prior through its stages to the prior, and from there to an example's posterior.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from energybased.energies import Reconstruction
from energybased.energy import Energy
from energybased.models import model as shared
from energybased.sampling import HMC, adapt
from energybased.sampling.annealed import anneal

LEVELS = 100  # temperatures of the annealing of each stage, and of the reconstruction
KERNEL = HMC(0.05, 5)  # of annealed chains, before its step size is adapted
ADAPTATION = 100  # transitions on the posterior, which adapt the step size, before the way back


class LogEvidence(NamedTuple):
    """Estimates of log p(x) of examples.

    Args:
        values: log p(x) and, beside it, the log Z of the prior less that of its base, `(n,)`, in nats and float64.
        ess: effective sample size of the weights of the chains of each example, `(n,)`, 1 ... particles.
    """

    values: Tensor
    ess: Tensor


def forward_evidence(model: Any, x: Tensor, particles: int, levels: int, generator: Generator) -> LogEvidence:
    """Estimates from chains that start at the base of the prior; in expectation, lower bounds.

    Args:
        model: a `LatentModel`.
        x: examples `(n, *event)`, in the model's units.
        particles: chains of each example.
        levels: temperatures of each part of the path.
        generator: source of random numbers.
    """

    def log_weights(rows: Tensor, likelihood: Energy, rng: Generator) -> Tensor:
        start = model.base.sample(len(rows) * particles, rng).to(model.place)
        return anneal(model.base, [*model.stages, likelihood], start, KERNEL, levels, generator=rng).log_weights

    return _evidence(model, x, particles, generator, log_weights)


def backward_evidence(model: Any, x: Tensor, z: Tensor, levels: int, generator: Generator) -> LogEvidence:
    """Estimates from chains that start at samples of the posteriors; in expectation upper bounds, if these are exact.

    Args:
        model: a `LatentModel`.
        x: examples `(n, *event)`, in the model's units.
        z: samples of their posteriors, `(n * particles, dim)`, those of an example one after another.
        levels: temperatures of each part of the path.
        generator: source of random numbers.
    """
    particles = len(z) // len(x)
    starts = z.unflatten(0, (len(x), particles))

    def log_weights(rows: Tensor, likelihood: Energy, rng: Generator) -> Tensor:
        posterior = model.prior + likelihood
        kernel, start = adapt(KERNEL, posterior, starts[rows].flatten(0, 1), steps=ADAPTATION, generator=rng)
        ends = anneal(posterior, [-likelihood], start, kernel, levels, generator=rng)
        back = [-stage for stage in reversed(model.stages)]
        last = anneal(model.prior, back, ends.x, ends.kernel, levels, generator=rng)  # no generator is evaluated here
        return ends.log_weights + last.log_weights

    return _evidence(model, x, particles, generator, log_weights, sign=-1.0)


def _evidence(
    model: Any,
    x: Tensor,
    particles: int,
    generator: Generator,
    log_weights: Callable[[Tensor, Energy, Generator], Tensor],
    sign: float = 1.0,
) -> LogEvidence:
    """Estimates from weights `(rows * particles,)` of chains, part by part: of Z, or of 1 / Z if the sign is -1."""
    parts = torch.arange(len(x), device="cpu").split(max(1, shared.CHUNK // particles))
    seeds = torch.randint(2**62, (len(parts),), generator=generator, device="cpu").tolist()

    def bound(part: tuple[Tensor, int]) -> Tensor:
        rows, rng = part[0], torch.Generator().manual_seed(part[1])
        likelihood = Reconstruction(model.generator, x[rows], model.sigma).expand(particles)
        weights = log_weights(rows, likelihood, rng).unflatten(0, (-1, particles))
        once, twice = (torch.logsumexp(power * weights, 1) for power in (1, 2))
        return torch.stack([sign * (once - math.log(particles)), (2 * once - twice).exp()], 1)

    found = torch.cat(model.processes.each(bound, list(zip(parts, seeds, strict=True)), model.place))
    constant = 0.5 * x[0].numel() * math.log(2 * math.pi * model.sigma**2)
    return LogEvidence(found[:, 0] - constant, found[:, 1])
