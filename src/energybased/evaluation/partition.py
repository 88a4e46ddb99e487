"""The partition function Z of an energy by annealed importance sampling, from both ends of a path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import Generator, Tensor

from energybased.energies import Analytic, PrincipalGaussian, StandardNormal
from energybased.energy import Energy, EnergyLike
from energybased.errors import require
from energybased.evaluation.whitened import Whitened
from energybased.sampling import HMC, adapt
from energybased.sampling.annealed import Annealed, Estimate, anneal
from energybased.sampling.kernel import Bounds

# In coordinates in which the base is standard, the adapted step is about 1: two steps are a quarter of the period of
# the dynamics, after which squares are forgotten. Five come near half of it, after which squares are what they were.
KERNEL = HMC(0.5, 2)  # of the annealed chains, before its step size is adapted
TARGET_ESS, STEPS = 0.95, 4  # fraction of the effective sample size that a level keeps; transitions per level
ADAPTATION, ADAPTED = 50, 500  # transitions that adapt the step size before the path, and about how many chains
GROUPS = 16  # populations of chains; their spread gives the error of an estimate
SMALL, CHAINS, CHAINS_BEYOND = 100, 16_000, 6400  # chains in each direction, for at most 100 entries and for more
ERRORS = 2.0  # standard errors by which the sandwich is widened on both sides


def enough_chains(dim: int) -> int:
    """The number of chains with which the sandwich is about 0.1 nat wide on known densities; results/partition.json."""
    return CHAINS if dim <= SMALL else CHAINS_BEYOND


class Sandwich(NamedTuple):
    """Estimates of log Z from both ends of a path (Grosse, Ghahramani & Adams 2015).

    Args:
        forward: from exact samples of the base; in expectation a lower bound.
        backward: from samples of the energy; in expectation an upper bound if these are exact. None without samples.
        exact: whether they are.
    """

    forward: Estimate
    backward: Estimate | None = None
    exact: bool = False

    @property
    def low(self) -> float:
        """The forward estimate less two standard errors, in nats."""
        return self.forward.value - ERRORS * self.forward.error

    @property
    def high(self) -> float:
        """The backward estimate and two standard errors, in nats; infinite without one."""
        return math.inf if self.backward is None else self.backward.value + ERRORS * self.backward.error


def sandwich_log_z(
    energy: EnergyLike,
    base: Analytic,
    event: Sequence[int],
    chains: int,
    samples: Tensor | None = None,
    exact: bool = False,
    scale: PrincipalGaussian | None = None,
    bounds: Bounds | None = None,
    generator: Generator | None = None,
) -> Sandwich:
    """log of the integral of exp(-E), in nats, by annealed importance sampling between a base and E (Neal 2001).

    Levels are chosen so that each keeps 0.95 of the effective sample size, and chains are resampled. They run in
    sixteen populations that are resampled on their own, whose spread gives the standard errors. A region that no chain
    reaches is missing from the forward estimate, and its error does not show this; the backward one shows it if the
    samples have that region.

    Args:
        energy: maps `(batch, *event)` to `(batch,)`, integrable.
        base: a density over flattened events that can be sampled and is near the energy's, such as one fitted to data.
        event: shape of one example.
        chains: number of chains in all populations together, for each direction.
        samples: of the energy, `(n, *event)`, at which the backward chains start: at least 32; the first `chains` are
            used.
        exact: whether the samples are exact and independent, so that the backward estimate is a bound.
        scale: chains move in the coordinates in which this Gaussian over flattened events is standard.
        bounds: (low, high) of every entry, outside which the density is zero; not together with `scale`.
        generator: source of random numbers.

    Raises:
        UserError: if there are too few chains or samples, or an energy is not finite.
    """
    require(chains >= 2 * GROUPS, f"log Z needs at least {2 * GROUPS} chains, got {chains}")
    if samples is not None:
        require(len(samples) >= 2 * GROUPS, f"the backward estimate needs {2 * GROUPS} samples, got {len(samples)}")
        samples = samples[: min(len(samples), chains) // GROUPS * GROUPS]
    chains = chains // GROUPS * GROUPS
    return sandwiches(energy, 1, base, event, chains, samples, exact, scale, bounds, generator)[0]


def sandwiches(
    energy: EnergyLike,
    count: int,
    base: Analytic,
    event: Sequence[int],
    chains: int,
    samples: Tensor | None = None,
    exact: bool = False,
    scale: PrincipalGaussian | None = None,
    bounds: Bounds | None = None,
    generator: Generator | None = None,
) -> list[Sandwich]:
    """As `sandwich_log_z`, for several densities at once, in one batch of chains: `chains` rows for each.

    Args:
        energy: that of row i is the energy of density i // chains.
        count: number of densities.
        chains: for each density, a multiple of 16.
        samples: `(count * n, *event)`, n for each density; n is a multiple of 16, and `chains` if there are several.
    """
    require(scale is None or bounds is None, "bounds are lost in other coordinates: give either bounds or scale")
    last = Whitened(energy, scale, event)
    first = StandardNormal(base.dim).to(base.anchor) if base is scale else Whitened(base, scale, (base.dim,))
    kernel, log_z, places = replace(KERNEL, bounds=bounds), float(base.log_z), count * GROUPS

    def whiten(x: Tensor) -> Tensor:
        flat = x.flatten(1).to(base.anchor)
        return flat if scale is None else scale.whiten(flat)

    start = whiten(base.sample(count * chains, generator))
    forward = annealed(first, last, start, kernel, places, generator)
    below = [e._replace(value=log_z + e.value) for e in (part.estimate() for part in forward.split(count))]
    if samples is None:
        return [Sandwich(e) for e in below]
    backward = annealed(last, first, whiten(samples), kernel, places, generator)
    above = [e._replace(value=log_z - e.value) for e in (part.estimate() for part in backward.split(count))]
    return [Sandwich(*ends, exact) for ends in zip(below, above, strict=True)]


def annealed(
    first: Energy, last: Energy, start: Tensor, kernel: HMC, populations: int, generator: Generator | None
) -> Annealed:
    """Chains from samples of exp(-first), `(n, dim)`, to exp(-last), in populations of equal size."""
    some = slice(None, None, max(1, len(start) // ADAPTED))  # rows of all densities
    adapted, _ = adapt(kernel, first.select(some), start[some], steps=ADAPTATION, generator=generator)
    return anneal(
        first,
        [last - first],
        start,
        adapted,
        steps=STEPS,
        generator=generator,
        target_ess=TARGET_ESS,
        populations=populations,
    )
