"""The protocol of a prior over latent vectors, and the base class of learned priors."""

from __future__ import annotations

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
TARGET_ESS, STEPS = 0.9, 3  # fraction of the effective sample size that a level keeps; transitions per level
POPULATION = 500  # fewest annealed chains; resampling far fewer chains would return many copies of the same state
MAX_COMPONENTS, SAMPLES_PER_COMPONENT = 20, 20  # of the Gaussian mixture; the latter per entry of a latent vector
GROUPS = 4  # of chains; the spread between groups gives the error of an estimate


@runtime_checkable
class Prior(Protocol):
    """An energy over latent vectors `(batch, dim)` that can be sampled. Every `energies.Analytic` is a prior.

    If it is normalised, `log_prob(z)` gives log p(z) in nats, `(batch,)`.
    """

    @property
    def dim(self) -> int:
        """Number of entries of a latent vector."""
        ...

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """n samples `(n, dim)`."""
        ...


class LearnedPrior(Energy):
    """Base class of learned priors: E(z) = base(z) + learned energies(z), over `(batch, dim)`.

    Args:
        base: an energy with known log Z that can be sampled.
    """

    log_z_offset: Tensor

    def __init__(self, base: Analytic) -> None:
        super().__init__()
        self.base = base
        self.register_buffer("log_z_offset", torch.zeros(()))  # log Z minus that of the base

    @property
    def dim(self) -> int:
        """Number of entries of a latent vector."""
        return self.base.dim

    @property
    def stages(self) -> list[Energy]:
        """The energies added to the base, in the order of training."""
        raise NotImplementedError

    @property
    def ratio(self) -> Energy:
        """The energy E(z) - base(z): minus the logarithm of the ratio of prior and base density, up to a constant."""
        raise NotImplementedError

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """n samples `(n, dim)`."""
        raise NotImplementedError

    def log_ratio(self, z: Tensor) -> Tensor:
        """The logarithm of the ratio of prior and base density at z `(batch, dim)`, in nats, `(batch,)`.

        It is exact up to the constant log Z, which `normalise` estimates.
        """
        return self.base(z) - self(z) - self.log_z_offset

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) in nats, `(batch,)`, for z `(batch, dim)`. Before `normalise`, log Z is taken from the base."""
        return -self(z) - self.base.log_z - self.log_z_offset

    def log_z(self, n: int = 8000, generator: Generator | None = None) -> Estimate:
        """log of the integral of exp(-E), in nats, by annealed importance sampling (Neal 2001) with n chains.

        The chains start from a mixture of Gaussians that is fitted to samples of the prior. The estimate misses regions
        that these samples miss, such as a mode that no chain has found, and its error does not show this. The error is
        the standard error between four groups of chains.

        Raises:
            UserError: if n is less than 2,000, for which the estimate is biased low.
        """
        require(n >= GROUPS * POPULATION, f"n must be at least {GROUPS * POPULATION}, got {n}")
        if not self.stages:
            return Estimate(float(self.base.log_z), 0.0, n)
        size = n // GROUPS
        near = self.nearby(size, generator)
        start = near.sample(GROUPS * size, generator)
        end = anneal(near, [self - near], start, KERNEL, generator=generator, target_ess=TARGET_ESS, populations=GROUPS)
        return end.estimate()

    def nearby(self, n: int, generator: Generator | None = None) -> GaussianMixture:
        """A mixture of Gaussians that is fitted to n samples of the prior, at which paths to its log Z begin."""
        components = max(1, min(MAX_COMPONENTS, n // (SAMPLES_PER_COMPONENT * self.dim)))
        return GaussianMixture.fit(self.sample(n, generator), components, generator)

    def normalise(self, n: int = 8000, generator: Generator | None = None) -> Estimate:
        """Estimates log Z as `log_z` does, and stores it, so that `log_prob` is that of a normalised density."""
        estimate = self.log_z(n, generator)
        self.log_z_offset.fill_(estimate.value - float(self.base.log_z))
        return estimate


class EnergyPrior(LearnedPrior):
    """E(z) = base(z) - f(z), sampled by short chains that start at samples of the base (Pang et al. 2020).

    Args:
        base: an energy with known log Z that can be sampled.
        network: f, maps `(batch, dim)` to `(batch,)`.
        sampler: settings of the short chains.
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
        """n samples `(n, dim)`: the last states of n short chains."""
        return self.sampler.sample(self, self.base, n, generator, self.log_z_offset)
