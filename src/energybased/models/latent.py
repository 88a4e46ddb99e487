"""A generator with a prior over its latent vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, cast, get_args

import torch
from torch import Generator, Tensor, nn

from energybased.data import DataSpec
from energybased.energies import Analytic, Reconstruction
from energybased.energy import Energy
from energybased.errors import UserError, require
from energybased.latent import Posterior
from energybased.latent.prior import KERNEL, Prior
from energybased.models import model as shared
from energybased.models.model import Origin, checked, chunks, moved, place_of, seeded
from energybased.networks import Encoder, TwoStageEncoder
from energybased.sampling import HMC, AnyKernel, Langevin, Streams, sample
from energybased.sampling.annealed import anneal

POSTERIOR_STEPS = 20  # of a chain on the posterior, of a model that infers by an encoder alone
SCORE_SAMPLES = 5  # of the posterior, over which a score is averaged
LEVELS = 100  # of annealing, of each stage and of the reconstruction
FILM_CHAINS, FILM_LEVELS = 8, 30  # levels a stage of chains that are not resampled, so that each can be followed

ScoreBy = Literal["joint", "ratio"]


@dataclass(frozen=True)
class LatentModel:
    """p(x, z) = prior(z) N(x; g(z), sigma^2 I) (Xiao & Han 2022); x in the model's units of its domain.

    Args:
        generator: g, maps z `(batch, dim)` to `(batch, *event)`.
        prior: over z.
        sigma: standard deviation of x around g(z); 0.15 for pixels in [0, 1] is 0.3 on [-1, 1].
        kernel: one transition of the chains on the posterior.
        steps: transitions of such a chain.
        encoder: where they begin; at noise if not given.
        score_sigma: the sigma of `score`; that of the model if not given.
        score_by: what `score` takes of the prior, "joint" or "ratio"; see `score_at`.
        spec: shape and domain of the training data; real numbers of the generator's shape if not given.
        origin: what it was made of, for `export`.
    """

    generator: nn.Module
    prior: Prior
    sigma: float = 0.15
    kernel: AnyKernel = Langevin.overdamped(0.1)
    steps: int = 20
    encoder: Encoder | TwoStageEncoder | None = None
    score_sigma: float | None = None
    score_by: ScoreBy = "joint"
    spec: DataSpec = DataSpec(())
    origin: Origin | None = None

    def __post_init__(self) -> None:
        _ = self.posterior  # whose settings are checked as it is made
        require(self.score_by in get_args(ScoreBy), f"score_by is 'joint' or 'ratio', got {self.score_by!r}")
        require(
            self.score_sigma is None or self.score_sigma > 0, f"score_sigma must be positive, got {self.score_sigma}"
        )
        if not self.spec.event:
            event = tuple(self.generate(torch.zeros(1, self.dim, device="cpu"))[0].shape)
            object.__setattr__(self, "spec", DataSpec(event))

    @property
    def offers(self) -> frozenset[str]:
        """What the model can do, of "samples", "scores", "chains", "latent vectors", "stages" and "features"."""
        staged = {"stages"} if hasattr(self.prior, "active") else set()
        return frozenset({"samples", "scores", "latent vectors"} | staged)

    @property
    def classes(self) -> int:
        """A latent model is not conditional."""
        return 0

    def given(self, *y: Any) -> NoReturn:
        raise UserError("a latent model is not conditional: it has no classes")

    @property
    def posterior(self) -> Posterior:
        """How z are inferred."""
        return Posterior(self.sigma, self.kernel, self.steps)

    @property
    def dim(self) -> int:
        """Entries of a latent vector."""
        return self.prior.dim

    @property
    def place(self) -> Tensor:
        """A tensor on the device, and of the dtype, that the model computes in."""
        return place_of(self.generator)

    @property
    def base(self) -> Analytic:
        """Where the prior begins; the prior itself if nothing was added to it."""
        base: Any = getattr(self.prior, "base", self.prior)
        return cast(Analytic, base)

    @property
    def stages(self) -> list[Energy]:
        """What was added to the base."""
        return list(getattr(self.prior, "stages", []))

    def sample_prior(self, n: int, *, stages: int | None = None, generator: Generator | None = None) -> Tensor:
        """n samples of the prior `(n, dim)`, or of its first `stages`."""
        require(n >= 1, f"n must be at least 1, got {n}")
        require(stages is None or "stages" in self.offers, "the prior of this model has no stages")
        some = {} if stages is None else {"stages": stages}
        return self.prior.sample(n, seeded(generator), **some).to(self.place)

    def sample(self, n: int, *, stages: int | None = None, generator: Generator | None = None) -> Tensor:
        """n samples `(n, *event)`: g(z), z of the prior, or of its first `stages`."""
        return self.generate(self.sample_prior(n, stages=stages, generator=generator))

    def film(self, *, n: int = FILM_CHAINS, generator: Generator | None = None) -> Tensor:
        """What n draws of the base become on their way through the stages, `(n, stages + 1, *event)`."""
        rng, prior = seeded(generator), self.base
        ends, energy = [prior.sample(n, rng).to(self.place)], prior
        for stage in self.stages:
            ends.append(anneal(energy, [stage], ends[-1], KERNEL, FILM_LEVELS, generator=rng).x)
            energy = energy + stage  # type: ignore[assignment]
        return torch.stack([self.generate(z) for z in ends], 1)

    def sample_posterior(
        self,
        x: Tensor,
        *,
        steps: int | None = None,
        generator: Generator | None = None,
        free: Tensor | None = None,
    ) -> Tensor:
        """One z an example, `(n, dim)`: the ends of short chains on the posterior of x `(n, *event)`.

        Args:
            steps: transitions; the model's own if not given.
            free: boolean, broadcastable to x; entries that are True do not count, and the encoder is not used.

        Raises:
            UserError: if x is not a batch of the model's event and domain, or free no mask of it.
        """
        x = self._encoded(x, free)
        rng = seeded(generator)
        encoder = {} if self.encoder is None or free is not None else {"encoder": self.encoder}
        parts = [x[rows] for rows in chunks(len(x))]
        start = torch.cat([self.posterior.start(encoder, part, self.dim, rng) for part in parts])
        steps = self.steps if steps is None else steps
        if steps == 0:
            return start
        known = None if free is None else ~free.to(x.device).expand(x.shape)
        prior: Any = self.prior
        energy, streams = self.posterior.energy(prior, self.generator, x, known), Streams.of(rng, start)

        def part(rows: Tensor) -> Tensor:
            return sample(energy.select(rows), start[rows], self.kernel, steps, streams.select(rows)).x

        return _in_parts(part, len(x))

    def reconstruct(self, x: Tensor, *, steps: int | None = None, generator: Generator | None = None) -> Tensor:
        """g(z) `(n, *event)`, z of the posterior of each example."""
        return self.generate(self.sample_posterior(x, steps=steps, generator=generator))

    def restore(
        self, x: Tensor, free: Tensor, *, steps: int | None = None, generator: Generator | None = None
    ) -> Tensor:
        """x `(n, *event)` with the entries where `free` is True replaced by g(z), z inferred from the others.

        Args:
            free: boolean, broadcastable to x.
            steps: of the chains, which begin at noise; ten times the model's if not given, 200 if it has none.
        """
        steps = 10 * (self.steps or POSTERIOR_STEPS) if steps is None else steps
        z = self.sample_posterior(x, steps=steps, generator=generator, free=free)
        return torch.where(free, self.generate(z).to(x), x)

    def score(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """Anomaly scores `(n,)`: the mean of `score_at` over five posterior samples; high means out of distribution.

        Raises:
            UserError: if x is not of the model's event and domain, or a score is not finite.
        """
        scores = torch.stack([self.score_at(x, z) for z in self.posterior_samples(x, generator=generator)]).mean(0)
        lost = int((~scores.isfinite()).sum())
        require(lost == 0, f"{lost} of {len(x)} scores are not finite: the model has diverged, or x lies far outside")
        return scores

    def posterior_samples(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """Five posterior samples of each of x `(n, *event)`, `(5, n, dim)`."""
        rng = seeded(generator)
        return torch.stack([self.sample_posterior(x, generator=rng) for _ in range(SCORE_SAMPLES)])

    @torch.no_grad()
    def score_at(self, x: Tensor, z: Tensor) -> Tensor:
        """The score of each of x `(n, *event)` at z `(n, dim)`, `(n,)`.

        By "joint": the joint energy |x - g(z)|^2/2 sigma^2 - log p(z), up to a constant. By "ratio": the same without
        the base's part, |x - g(z)|^2/2 sigma^2 - log p(z)/p_0(z), since unseen data often lie between the modes,
        where p_0 is densest. Without stages it is the reconstruction error alone. With a larger `score_sigma` the
        prior counts for more.
        """
        judged = replace(self.posterior, sigma=self.score_sigma or self.sigma)
        x, whole = self._encoded(x), self.score_by == "joint"
        prior: Any = self.prior if whole else getattr(self.prior, "ratio", None)
        reconstruction = Reconstruction(self.generator, x, judged.sigma)
        energy: Energy = reconstruction if prior is None else judged.energy(prior, self.generator, x)
        return _in_parts(lambda rows: energy.select(rows)(z[rows]), len(x))

    def log_prob(
        self, x: Tensor, *, particles: int = 10, levels: int = LEVELS, generator: Generator | None = None
    ) -> Tensor:
        """An estimate of log p(x) in nats, x in the model's units, `(n,)`.

        By annealed importance sampling from the base through the prior to the posterior (Neal 2001), which bounds the
        joint from below in expectation, less an estimate of the prior's log Z.

        Args:
            particles: chains an example.
            levels: of annealing, of each stage and of the reconstruction.
        """
        x, rng = self._encoded(x), seeded(generator)
        require(particles >= 1, f"particles must be at least 1, got {particles}")
        bounds = []
        for part in x.split(max(1, shared.CHUNK // particles)):
            added = [*self.stages, Reconstruction(self.generator, part, self.sigma).expand(particles)]
            start = self.base.sample(len(part) * particles, rng).to(self.place)
            weights = anneal(self.base, added, start, HMC(0.05, 5), levels, generator=rng).log_weights
            bounds.append(weights.unflatten(0, (-1, particles)).logsumexp(1) - math.log(particles))
        constant = 0.5 * x[0].numel() * math.log(2 * math.pi * self.sigma**2)
        learned: Any = self.prior
        beyond = learned.log_z(generator=rng).value - self.base.log_z if self.stages else 0.0
        return (torch.cat(bounds) - constant - beyond).to(x.dtype)

    @torch.no_grad()
    def generate(self, z: Tensor) -> Tensor:
        """g(z) `(n, *event)` of z `(n, dim)`, in the user's units."""
        made: Tensor = torch.cat([self.generator(z[rows]) for rows in chunks(len(z))])
        return self.spec.domain.decode(made)

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> LatentModel:
        """A copy on another device, or of another floating-point type."""
        encoder = None if self.encoder is None else moved(self.encoder, device, dtype)
        prior: Any = self.prior
        parts = moved(self.generator, device, dtype), moved(prior, device, dtype)
        return replace(self, generator=parts[0], prior=parts[1], encoder=encoder)

    def export(self, file: Path | str) -> None:
        """Writes weights and settings into one file, which `load` reads."""
        shared.export(self.origin, file)

    def _encoded(self, x: Tensor, free: Tensor | None = None) -> Tensor:
        """x in the model's units, where the model is, after checking it."""
        if free is not None:
            require(isinstance(free, Tensor) and free.dtype == torch.bool, "free must be a boolean mask")
            pairs = zip(free.shape[::-1], x.shape[::-1], strict=False)
            fits = free.ndim <= x.ndim and all(a in (1, b) for a, b in pairs)
            require(fits, f"free, {tuple(free.shape)}, does not broadcast to x, {tuple(x.shape)}")
        x = checked(x, self.spec, free)
        return self.spec.domain.encode(x if free is None else x.masked_fill(free, 0.0)).to(self.place)


def _in_parts(function: Callable[[Tensor], Tensor], n: int) -> Tensor:
    return torch.cat([function(rows) for rows in chunks(n)])
