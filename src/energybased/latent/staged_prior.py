"""A prior learned in stages: a base times a product of ratios."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from energybased.energies import Analytic, Ratios
from energybased.energy import Condition, Energy
from energybased.errors import require
from energybased.latent.prior import KERNEL, POPULATION, STEPS, TARGET_ESS, LearnedPrior
from energybased.networks import BatchedMLP
from energybased.sampling import sample
from energybased.sampling.annealed import Annealed, anneal

DECORRELATION_STEPS = 10  # transitions that move copies of a resampled state apart


class StagedPrior(LearnedPrior):
    """E(z) = base(z) - f_1(z) - ... - f_K(z), over `(batch, dim)` (Xiao & Han 2022).

    Each f_k is the logit of a classifier between data and samples of the prior with the stages before k. A stage that
    has learned nothing is inactive, and is left out of the sum.

    Args:
        base: an energy with known log Z that can be sampled.
        logits: the networks of all stages, over `(batch, dim)`.

    Raises:
        UserError: if base and networks have different dimensions.
    """

    active: Tensor

    def __init__(self, base: Analytic, logits: BatchedMLP) -> None:
        super().__init__(base)
        wide = logits.weights[0].shape[1]
        require(wide == base.dim, f"the base is over {base.dim} entries, the networks over {wide}")
        self.logits = logits
        self.register_buffer("active", torch.zeros(logits.count))

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return self.base(x) - (self.logits(x) * self.active).sum(1)

    def truncated(self, k: int) -> Energy:
        """The energy of the base and the first k stages."""
        return self.base + Ratios(self.logits, self.active[:k]) if k and bool(self.active[:k].any()) else self.base

    @property
    def stages(self) -> list[Energy]:
        """The ratios of the active stages, one energy each."""
        return self.ratios(len(self.active))

    @property
    def ratio(self) -> Energy:
        return Ratios(self.logits, self.active)

    def ratios(self, k: int) -> list[Energy]:
        """The ratios of the active stages among the first k, one energy each."""
        return [Ratios(self.logits, self.active[i : i + 1].clone(), i) for i in range(k) if self.active[i]]

    def annealed(self, k: int, n: int, generator: Generator | None = None) -> Annealed:
        """n chains `(n, dim)` that start at samples of the base and are annealed through the first k stages."""
        start = self.base.sample(n, generator).to(self.active)
        return anneal(self.base, self.ratios(k), start, KERNEL, steps=STEPS, generator=generator, target_ess=TARGET_ESS)

    def sample(self, n: int, generator: Generator | None = None, *, stages: int | None = None) -> Tensor:
        """n samples `(n, dim)` by annealed importance sampling and resampling.

        Args:
            n: number of samples.
            generator: source of random numbers.
            stages: the samples are those of the prior with its first `stages` stages; with all if not given.

        Raises:
            UserError: if n or stages is out of range.
        """
        k = len(self.active) if stages is None else stages
        require(n >= 1, f"n must be at least 1, got {n}")
        require(0 <= k <= len(self.active), f"stages must be in 0 ... {len(self.active)}, got {k}")
        chains = self.annealed(k, max(n, POPULATION), generator)
        order = torch.randperm(len(chains.x), generator=generator, device="cpu")[:n]  # copies are neighbours
        drawn = chains.resample(generator)[order.to(chains.x.device)]
        if not self.ratios(k):
            return drawn
        return sample(self.truncated(k), drawn, chains.kernel, DECORRELATION_STEPS, generator).x
