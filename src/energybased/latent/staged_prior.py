"""A prior learned in stages: a base times a product of ratios."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from energybased.energies import Analytic, GaussianMixture, Ratios
from energybased.energy import Condition, Energy
from energybased.errors import require
from energybased.networks import BatchedMLP
from energybased.sampling import HMC, sample
from energybased.sampling.annealed import Annealed, Estimate, anneal

KERNEL = HMC(0.2, 5)  # of annealed chains
TARGET_ESS, STEPS = 0.9, 3  # effective part of the chains from level to level; transitions at each level
POPULATION = 500  # chains at the least, of which a few samples are taken: resampled, a few would be copies of fewer
DECORRELATION_STEPS = 10  # of copies away from each other
COMPONENTS, A_COMPONENT = 20, 20  # Gaussians at the most; samples of each, times the entries
GROUPS = 4  # of chains, between which an estimate's error is seen; each must be large, or its log Z is too small


class StagedPrior(Energy):
    """E(z) = base(z) - f_1(z) - ... - f_K(z), over `(batch, dim)` (Xiao & Han 2022).

    Each f_k is the logit of a classifier between data and the prior of the stages before it, so that exp(f_k) is what
    that prior lacks. A stage that has learned nothing does not count.

    Args:
        base: where the stages begin.
        logits: the networks of all stages, learned or not.
    """

    active: Tensor
    log_z_offset: Tensor

    def __init__(self, base: Analytic, logits: BatchedMLP) -> None:
        super().__init__()
        wide = logits.weights[0].shape[1]
        require(wide == base.dim, f"the base is over {base.dim} entries, the networks over {wide}")
        self.base, self.logits = base, logits
        self.register_buffer("active", torch.zeros(logits.count))
        self.register_buffer("log_z_offset", torch.zeros(()))  # log Z beyond that of the base

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return self.base(x) - (self.logits(x) * self.active).sum(1)

    def truncated(self, k: int) -> Energy:
        """The prior of the first k stages."""
        return self.base + Ratios(self.logits, self.active[:k]) if k and bool(self.active[:k].any()) else self.base

    @property
    def stages(self) -> list[Energy]:
        """The ratios of the stages that count."""
        return self.ratios(len(self.active))

    def log_ratio(self, z: Tensor) -> Tensor:
        """log p(z)/base(z) in nats, `(batch,)`: the sum of the stages' logits, less what they leave of log Z."""
        return self.base(z) - self(z) - self.log_z_offset

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) in nats, `(batch,)`; exact ratios leave log Z that of the base, and `normalise` what they leave."""
        return -self(z) - self.base.log_z - self.log_z_offset

    def ratios(self, k: int) -> list[Energy]:
        """The ratios of those of the first k stages that count."""
        return [Ratios(self.logits, self.active[i : i + 1].clone(), i) for i in range(k) if self.active[i]]

    def annealed(self, k: int, n: int, generator: Generator | None = None) -> Annealed:
        """n chains `(n, dim)` that begin as samples of the base and go, resampled, through the first k stages."""
        start = self.base.sample(n, generator).to(self.active)
        return anneal(self.base, self.ratios(k), start, KERNEL, steps=STEPS, generator=generator, target_ess=TARGET_ESS)

    def log_z(self, n: int = 8000, generator: Generator | None = None) -> Estimate:
        """log of the integral of exp(-E), from the weights of n annealed chains; the error is that between four groups.

        They begin at Gaussians that were fitted to samples of the prior, from where the way is shorter than from the
        base. What these samples miss, the estimate misses, and its error does not show it: a mode that no chain found,
        or the ends of a direction a hundred times as long as another. The error itself is known to a half, from four.

        Raises:
            UserError: if n is less than 2,000, whose estimates would be too small.
        """
        require(n >= GROUPS * POPULATION, f"n must be at least {GROUPS * POPULATION}, got {n}")
        if not self.active.any():
            return Estimate(float(self.base.log_z), 0.0, n)
        size = n // GROUPS
        components = max(1, min(COMPONENTS, size // (A_COMPONENT * self.base.dim)))
        near = GaussianMixture.fit(self.sample(size, generator), components, generator)
        ends = [
            anneal(
                near, [self - near], near.sample(size, generator), KERNEL, generator=generator, target_ess=TARGET_ESS
            )
            for _ in range(GROUPS)
        ]
        values = torch.tensor([end.estimate().value for end in ends], dtype=torch.float64)
        weights = values.softmax(0)
        value = float(values.logsumexp(0)) - math.log(GROUPS)
        error = float(GROUPS * weights.std()) / math.sqrt(GROUPS)
        return Estimate(value, error, sum(end.ess() for end in ends))

    def normalise(self, n: int = 8000, generator: Generator | None = None) -> Estimate:
        """Estimates log Z, and makes `log_prob` that of a density that integrates to 1."""
        estimate = self.log_z(n, generator)
        self.log_z_offset.fill_(estimate.value - float(self.base.log_z))
        return estimate

    def sample(self, n: int, generator: Generator | None = None, k: int | None = None) -> Tensor:
        """n samples `(n, dim)`, annealed through the stages (the first k of them, if given) and resampled."""
        k = len(self.active) if k is None else k
        require(n >= 1, f"n must be at least 1, got {n}")
        require(0 <= k <= len(self.active), f"k must be in 0 ... {len(self.active)} stages, got {k}")
        chains = self.annealed(k, max(n, POPULATION), generator)
        order = torch.randperm(len(chains.x), generator=generator)[:n]  # copies lie side by side
        drawn = chains.resample(generator)[order]
        return (
            sample(self.truncated(k), drawn, chains.kernel, DECORRELATION_STEPS, generator).x
            if self.ratios(k)
            else drawn
        )
