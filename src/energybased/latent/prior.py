"""What a prior over latent vectors is, and what learned priors share."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn

from energybased.energies import Analytic, GaussianMixture, Ratio
from energybased.energy import Condition, Energy
from energybased.errors import require
from energybased.latent.short_run import ShortRun
from energybased.sampling import HMC
from energybased.sampling.annealed import Estimate, anneal

KERNEL = HMC(0.2, 5)  # of annealed chains
TARGET_ESS, STEPS = 0.9, 3  # effective part of the chains from level to level; transitions at each level
POPULATION = 500  # annealed chains at the least, so that few samples are not copies of fewer
MAX_COMPONENTS, SAMPLES_PER_COMPONENT = 20, 20  # of the Gaussian mixture; the latter times the entries of a vector
GROUPS = 4  # of chains, between which an estimate's error is measured


@runtime_checkable
class Prior(Protocol):
    """An energy over latent vectors `(batch, dim)` that can be sampled; `energies.Analytic` are priors.

    Where it is normalised, `log_prob(z)` gives log p(z) in nats, `(batch,)`.
    """

    @property
    def dim(self) -> int: ...

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """n samples `(n, dim)`."""
        ...


class LearnedPrior(Energy):
    """E(z) = base(z) + what was learned, over `(batch, dim)`.

    Args:
        base: an energy that can be sampled, with known log Z.
    """

    log_z_offset: Tensor

    def __init__(self, base: Analytic) -> None:
        super().__init__()
        self.base = base
        self.register_buffer("log_z_offset", torch.zeros(()))  # log Z beyond that of the base

    @property
    def dim(self) -> int:
        """Entries of a latent vector."""
        return self.base.dim

    @property
    def stages(self) -> list[Energy]:
        """The energies that are added to the base, in the order in which they were learned."""
        raise NotImplementedError

    @property
    def ratio(self) -> Energy:
        """E(z) - base(z), which is -log p(z)/base(z) up to a constant."""
        raise NotImplementedError

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """n samples `(n, dim)`."""
        raise NotImplementedError

    def log_ratio(self, z: Tensor) -> Tensor:
        """log p(z)/base(z) in nats, `(batch,)`."""
        return self.base(z) - self(z) - self.log_z_offset

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) in nats, `(batch,)`, once `normalise` has estimated log Z; until then log Z is that of the base."""
        return -self(z) - self.base.log_z - self.log_z_offset

    def log_z(self, n: int = 8000, generator: Generator | None = None) -> Estimate:
        """log of the integral of exp(-E), by annealed importance sampling (Neal 2001) with n chains.

        Chains begin at a mixture of Gaussians that is fitted to samples of the prior. What these samples miss, the
        estimate misses, and its error does not show it: a mode that no chain found, or the ends of a direction a
        hundred times as long as another. The error is the standard error between four groups of chains.

        Raises:
            UserError: if n is less than 2,000, whose estimates would be too small.
        """
        require(n >= GROUPS * POPULATION, f"n must be at least {GROUPS * POPULATION}, got {n}")
        if not self.stages:
            return Estimate(float(self.base.log_z), 0.0, n)
        size = n // GROUPS
        components = max(1, min(MAX_COMPONENTS, size // (SAMPLES_PER_COMPONENT * self.dim)))
        near = GaussianMixture.fit(self.sample(size, generator), components, generator)
        ends = [
            anneal(
                near, [self - near], near.sample(size, generator), KERNEL, generator=generator, target_ess=TARGET_ESS
            )
            for _ in range(GROUPS)
        ]
        values = torch.tensor([end.estimate().value for end in ends], dtype=torch.float64, device="cpu")
        weights = values.softmax(0)
        value = float(values.logsumexp(0)) - math.log(GROUPS)
        error = float(GROUPS * weights.std()) / math.sqrt(GROUPS)
        return Estimate(value, error, sum(end.ess() for end in ends))

    def normalise(self, n: int = 8000, generator: Generator | None = None) -> Estimate:
        """Estimates log Z, and makes `log_prob` that of a density that integrates to 1."""
        estimate = self.log_z(n, generator)
        self.log_z_offset.fill_(estimate.value - float(self.base.log_z))
        return estimate


class EnergyPrior(LearnedPrior):
    """E(z) = base(z) - f(z), sampled by short chains from the base (Pang et al. 2020).

    Args:
        base: where the chains start.
        network: f, maps `(batch, dim)` to `(batch,)`.
        sampler: the short chains.
    """

    def __init__(self, base: Analytic, network: nn.Module, sampler: ShortRun) -> None:
        super().__init__(base)
        self.network, self.sampler = network, sampler

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        values: Tensor = self.base(x) - self.network(x)
        return values

    @property
    def stages(self) -> list[Energy]:
        return [self.ratio]

    @property
    def ratio(self) -> Energy:
        return Ratio(self.network)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """The ends `(n, dim)` of n short chains from the base."""
        return self.sampler.sample(self, self.base, n, generator, self.log_z_offset)
