"""A generator with a prior over what it is given."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from energybased.energies import Ratios, Reconstruction
from energybased.energy import Energy
from energybased.errors import require
from energybased.latent.posterior import Posterior
from energybased.latent.short_run import ShortRun
from energybased.latent.staged_prior import KERNEL, StagedPrior
from energybased.networks import Encoder, TwoStageEncoder
from energybased.sampling import HMC, AnyKernel, Langevin, Streams, sample
from energybased.sampling.annealed import anneal

ROWS = 500  # at a time
FAR = 30.0  # where no noise takes pixels of [0, 1]: these were not scaled
CHAIN = 20  # steps, of a model that infers by an encoder alone
DRAWS = 5  # of the posterior, over which a score is averaged
LEVELS = 100  # of annealing, of each stage and of the reconstruction
FOLLOWED = 30  # levels a stage of chains that are not resampled, so that each can be followed

ScoreBy = Literal["joint", "ratio"]


@dataclass(frozen=True)
class LatentModel:
    """p(x, z) = prior(z) N(x; g(z), sigma^2 I), pixels in [0, 1] (Xiao & Han 2022).

    Args:
        generator: g, maps z `(batch, dim)` to `(batch, *event)`.
        prior: over z.
        sigma: standard deviation of pixels around g(z); 0.15 here is 0.3 on [-1, 1].
        kernel: one transition of the chains on the posterior.
        steps: transitions of such a chain.
        encoder: where it begins; at noise if not given.
        score_sigma: the sigma of `score`; that of the model if not given.
        score_by: what `score` is, beside how well an example is reproduced: "joint" or "ratio".
        chains: how the prior is sampled, if it was learned from short chains; annealed through its stages if not given.
    """

    generator: nn.Module
    prior: StagedPrior
    sigma: float = 0.15
    kernel: AnyKernel = Langevin.overdamped(0.1)
    steps: int = 20
    encoder: Encoder | TwoStageEncoder | None = None
    chains: ShortRun | None = None
    score_sigma: float | None = None
    score_by: ScoreBy = "joint"

    def __post_init__(self) -> None:
        _ = self.posterior  # whose settings are checked as it is made
        require(self.score_by in get_args(ScoreBy), f"score_by is 'joint' or 'ratio', got {self.score_by!r}")
        require(
            self.score_sigma is None or self.score_sigma > 0, f"score_sigma must be positive, got {self.score_sigma}"
        )

    @property
    def posterior(self) -> Posterior:
        return Posterior(self.sigma, self.kernel, self.steps)

    @property
    def dim(self) -> int:
        return self.prior.base.dim

    @property
    def event(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.generate(torch.zeros(1, self.dim))[0].shape)

    def sample_prior(self, n: int, seed: int = 0, k: int | None = None) -> Tensor:
        """n samples of the prior `(n, dim)`, or of its first k stages."""
        require(n >= 1, f"n must be at least 1, got {n}")
        rng = torch.Generator().manual_seed(seed)
        if self.chains is None:
            return self.prior.sample(n, rng, k)
        require(k is None, "a prior that was learned from short chains has no stages")
        return self.chains.sample(self.prior, self.prior.base, n, rng, self.prior.active)

    def sample(self, n: int, seed: int = 0, k: int | None = None) -> Tensor:
        """n pictures `(n, *event)`: g(z), z of the prior, or of its first k stages."""
        return self.generate(self.sample_prior(n, seed, k))

    def stages(self, n: int, seed: int = 0) -> Tensor:
        """What n draws of the base become on their way through the stages that count, `(stages + 1, n, *event)`."""
        if self.chains is not None:
            start = self.prior.base.sample(n, torch.Generator().manual_seed(seed))
            return torch.stack([self.generate(start), self.sample(n, seed)])
        rng = torch.Generator().manual_seed(seed)
        prior: Energy = self.prior.base
        ends = [self.prior.base.sample(n, rng).to(self.prior.active)]
        for stage in self.prior.stages:
            ends.append(anneal(prior, [stage], ends[-1], KERNEL, FOLLOWED, generator=rng).x)
            prior = prior + stage
        return torch.stack([self.generate(z) for z in ends])

    def sample_posterior(
        self, x: Tensor, steps: int | None = None, seed: int = 0, free: Tensor | None = None
    ) -> Tensor:
        """One z an example, `(n, dim)`: the ends of short chains on the posterior of x `(n, *event)`.

        Args:
            steps: transitions; the model's own if not given.
            free: boolean, broadcastable to x; pixels that are True do not count, and no encoder is asked.

        Raises:
            UserError: if x is not a batch of finite pictures of the model's shape, or free no mask of it.
        """
        self._check(x, free)
        rng = torch.Generator().manual_seed(seed)
        encoder = {} if self.encoder is None or free is not None else {"encoder": self.encoder}
        start = torch.cat([self.posterior.start(encoder, part, self.dim, rng) for part in x.split(ROWS)])
        steps = self.steps if steps is None else steps
        if steps == 0:
            return start
        known = None if free is None else ~free.expand(x.shape)
        energy, streams = self.posterior.energy(self.prior, self.generator, x, known), Streams.of(rng, start)

        def part(rows: Tensor) -> Tensor:
            return sample(energy.select(rows), start[rows], self.kernel, steps, streams.select(rows)).x

        return _in_parts(part, len(x))

    def reconstruct(self, x: Tensor, steps: int | None = None, seed: int = 0) -> Tensor:
        """g(z) `(n, *event)`, z of the posterior of each example."""
        return self.generate(self.sample_posterior(x, steps, seed))

    def restore(self, x: Tensor, free: Tensor, steps: int | None = None, seed: int = 0) -> Tensor:
        """x `(n, *event)` with the entries that are `free` made by the generator, as the others have it.

        Chains begin at noise, and have the model's steps ten times unless told otherwise; 200 where there are none.
        """
        z = self.sample_posterior(x, 10 * (self.steps or CHAIN) if steps is None else steps, seed, free)
        return torch.where(free, self.generate(z), x)

    def score(self, x: Tensor, seed: int = 0) -> Tensor:
        """How strange each of x `(n, *event)` is, `(n,)`: `score_at`, the mean over five posterior samples."""
        return torch.stack([self.score_at(x, z) for z in self.posterior_samples(x, seed)]).mean(0)

    def posterior_samples(self, x: Tensor, seed: int = 0) -> Tensor:
        """Five posterior samples of each of x `(n, *event)`, `(5, n, dim)`."""
        return torch.stack([self.sample_posterior(x, seed=DRAWS * seed + draw) for draw in range(DRAWS)])

    @torch.no_grad()
    def score_at(self, x: Tensor, z: Tensor) -> Tensor:
        """How strange each of x `(n, *event)` is as g(z), `(n,)`, z `(n, dim)`.

        By "joint": the joint energy, |x - g(z)|^2/2 sigma^2 - log p(z), but for its constant. By "ratio": that without
        the base's part, |x - g(z)|^2/2 sigma^2 - log p(z)/p_0(z). What no stage has seen often lies where p_0 is
        densest, between the modes, which hides it in the joint. Without stages it is the reconstruction alone.

        With a small sigma, nearly all of it is how well a picture is reproduced, which says more of how intricate it is
        than of how strange: with a larger `score_sigma` the prior counts for more.
        """
        judged = replace(self.posterior, sigma=self.score_sigma or self.sigma)
        prior = self.prior if self.score_by == "joint" else Ratios(self.prior.logits, self.prior.active)
        energy = judged.energy(prior, self.generator, x)
        return _in_parts(lambda rows: energy.select(rows)(z[rows]), len(x))

    def log_prob(self, x: Tensor, chains: int = 10, levels: int = LEVELS, seed: int = 0) -> Tensor:
        """An estimate of log p(x) in nats over pixels in [0, 1], `(n,)`.

        By annealed importance sampling from the base through the prior to the posterior (Neal 2001), which bounds the
        joint from below in expectation, less an estimate of the prior's log Z; `prior.log_z` has the error of that.
        """
        self._check(x)
        require(chains >= 1, f"chains must be at least 1, got {chains}")
        rng = torch.Generator().manual_seed(seed)
        bounds = []
        for part in x.split(max(1, ROWS // chains)):
            added = [*self.prior.stages, Reconstruction(self.generator, part, self.sigma).expand(chains)]
            start = self.prior.base.sample(len(part) * chains, rng).to(self.prior.active)
            weights = anneal(self.prior.base, added, start, HMC(0.05, 5), levels, generator=rng).log_weights
            bounds.append(weights.unflatten(0, (-1, chains)).logsumexp(1) - math.log(chains))
        constant = 0.5 * x[0].numel() * math.log(2 * math.pi * self.sigma**2)
        log_z_offset = self.prior.log_z(generator=rng).value - self.prior.base.log_z
        return (torch.cat(bounds) - constant - log_z_offset).to(x.dtype)

    @torch.no_grad()
    def generate(self, z: Tensor) -> Tensor:
        """g(z) `(n, *event)` of z `(n, dim)`."""
        made: Tensor = torch.cat([self.generator(part) for part in z.split(ROWS)])
        return made

    def _check(self, x: Tensor, free: Tensor | None = None) -> None:
        event, kind = self.event, self.prior.active.dtype
        require(x.dtype == kind, f"x must hold pixels in [0, 1] as {kind}, got {x.dtype}")
        require(tuple(x.shape[1:]) == event, f"x must be (n, {', '.join(map(str, event))}), got {tuple(x.shape)}")
        require(len(x) >= 1 and bool(x.isfinite().all()), "x must hold examples, all of finite numbers")
        if free is not None:
            require(free.dtype == torch.bool, f"free must be a boolean mask, got {free.dtype}")
            fits = free.ndim <= x.ndim and all(
                a in (1, b) for a, b in zip(free.shape[::-1], x.shape[::-1], strict=False)
            )
            require(fits, f"free, {tuple(free.shape)}, does not broadcast to x, {tuple(x.shape)}")
            x = x.masked_fill(free, 0.0)
        largest = float(x.abs().max())
        require(largest <= FAR, f"x must hold pixels in [0, 1], got {largest:g}: scale them")


def _in_parts(function: Callable[[Tensor], Tensor], n: int) -> Tensor:
    return torch.cat([function(rows) for rows in torch.arange(n).split(ROWS)])
