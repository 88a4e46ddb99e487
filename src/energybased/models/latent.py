"""A generator with a prior over its latent vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, cast, get_args

import torch
from torch import Generator, Tensor, nn

from energybased.data import DataSpec
from energybased.energies import Analytic, Reconstruction, Through
from energybased.energy import Energy
from energybased.errors import UserError, require
from energybased.latent import Posterior
from energybased.latent.prior import KERNEL, Prior
from energybased.models import model as shared
from energybased.models.degradation import Degradation, as_degradation, encoded
from energybased.models.evidence import LEVELS, forward_evidence
from energybased.models.model import Origin, by_chunks, checked, finite, moved, place_of, seeded
from energybased.networks import Encoder, TwoStageEncoder
from energybased.processes import ALONE, Processes
from energybased.sampling import AnyKernel, Langevin, Streams, sample
from energybased.sampling.annealed import anneal

POSTERIOR_STEPS = 20  # transitions of a chain on the posterior, for a model whose encoder needs none
SCORE_SAMPLES = 5  # posterior samples over which a score is averaged
FILM_CHAINS, FILM_LEVELS = 8, 30  # levels per stage; without resampling, so that each chain can be followed

LatentScoreBy = Literal["joint", "ratio"]


@dataclass(frozen=True)
class LatentModel:
    """p(x, z) = prior(z) N(x; g(z), sigma^2 I) (Xiao & Han 2022), with x in the model's units.

    Args:
        generator: g, which maps z `(batch, dim)` to x `(batch, *event)`.
        prior: the prior over z.
        sigma: standard deviation of x around g(z). For pixels in [0, 1], 0.15 corresponds to 0.3 on [-1, 1].
        kernel: one transition of the chains on the posterior.
        steps: transitions of each of these chains.
        encoder: the chains start at its samples; they start at standard normal noise if not given.
        score_sigma: sigma in `score`; that of the model if not given.
        score_by: energy of z in `score`, "joint" or "ratio"; see `score_at`.
        spec: shape and domain of the training data; real numbers of the shape of g(z) if not given.
        origin: the recipe and the trained parts, for `export`; None if the model cannot be exported.
        processes: the processes that share chains on the posterior, scores and likelihoods; samples of the prior are
            resampled together, and every process draws them. All must make the same calls.
    """

    generator: nn.Module
    prior: Prior
    sigma: float = 0.15
    kernel: AnyKernel = Langevin.overdamped(0.1)
    steps: int = 20
    encoder: Encoder | TwoStageEncoder | None = None
    score_sigma: float | None = None
    score_by: LatentScoreBy = "joint"
    spec: DataSpec = DataSpec(())
    origin: Origin | None = None
    processes: Processes = ALONE

    def __post_init__(self) -> None:
        _ = self.posterior  # checks the settings
        require(self.score_by in get_args(LatentScoreBy), f"score_by is 'joint' or 'ratio', got {self.score_by!r}")
        require(
            self.score_sigma is None or self.score_sigma > 0, f"score_sigma must be positive, got {self.score_sigma}"
        )
        if not self.spec.event:
            event = tuple(self.generate(torch.zeros(1, self.dim, device="cpu"))[0].shape)
            object.__setattr__(self, "spec", DataSpec(event))

    @property
    def offers(self) -> frozenset[str]:
        """What the model offers: "samples", "scores", "latent vectors" and, if the prior has them, "stages"."""
        staged = {"stages"} if hasattr(self.prior, "active") else set()
        return frozenset({"samples", "scores", "latent vectors"} | staged)

    @property
    def classes(self) -> int:
        """0, because a latent model is not conditional on a class."""
        return 0

    def given(self, *y: Any) -> NoReturn:
        raise UserError("a latent model is not conditional: it has no classes")

    @property
    def posterior(self) -> Posterior:
        """Settings of the inference of z."""
        return Posterior(self.sigma, self.kernel, self.steps)

    @property
    def dim(self) -> int:
        """Number of entries of a latent vector."""
        return self.prior.dim

    @property
    def place(self) -> Tensor:
        """A tensor with the device and dtype of the model."""
        return place_of(self.generator)

    @property
    def base(self) -> Analytic:
        """The base of the prior; the prior itself if it has none."""
        base: Any = getattr(self.prior, "base", self.prior)
        return cast(Analytic, base)

    @property
    def stages(self) -> list[Energy]:
        """The energies of the stages, which the prior adds to its base."""
        return list(getattr(self.prior, "stages", []))

    def sample_prior(self, n: int, *, stages: int | None = None, generator: Generator | None = None) -> Tensor:
        """n samples `(n, dim)` of the prior, or of its base with the first `stages` stages."""
        require(n >= 1, f"n must be at least 1, got {n}")
        require(stages is None or "stages" in self.offers, "the prior of this model has no stages")
        options = {} if stages is None else {"stages": stages}
        return self.prior.sample(n, seeded(generator), **options).to(self.place)

    def sample(self, n: int, *, stages: int | None = None, generator: Generator | None = None) -> Tensor:
        """n samples g(z) `(n, *event)`, with z from the prior, or from its base with the first `stages` stages."""
        return self.generate(self.sample_prior(n, stages=stages, generator=generator))

    def film(self, *, n: int = FILM_CHAINS, generator: Generator | None = None) -> Tensor:
        """g(z) at the base and after each stage, `(n, stages + 1, *event)`, for n chains z through the stages."""
        rng, prior = seeded(generator), self.base
        ends, energy = [prior.sample(n, rng).to(self.place)], prior
        for stage in self.stages:
            ends.append(anneal(energy, [stage], ends[-1], KERNEL, FILM_LEVELS, generator=rng).x)
            energy = energy + stage  # type: ignore[assignment]
        return torch.stack([self.generate(z) for z in ends], 1)

    def sample_posterior(self, x: Tensor, *, steps: int | None = None, generator: Generator | None = None) -> Tensor:
        """One posterior sample z for each x `(n, *event)`, `(n, dim)`: the last states of short chains.

        Args:
            x: examples, in the user's units.
            steps: transitions of each chain; those of the model if not given.
            generator: seeds the chains; they get a new seed if not given.

        Raises:
            UserError: if x is not of the model's shape and domain.
        """
        x, rng = self._encoded(x), seeded(generator)
        encoder = {} if self.encoder is None else {"encoder": self.encoder}
        prior: Any = self.prior
        energy = self.posterior.energy(prior, self.generator, x)
        start = torch.cat([self.posterior.start(encoder, part, self.dim, rng) for part in x.split(shared.CHUNK)])
        return self._chains(energy, start, self.steps if steps is None else steps, rng)

    def _chains(self, energy: Energy, start: Tensor, steps: int, rng: Generator) -> Tensor:
        """The last states of chains on an energy of z, from `start` `(n, dim)`."""
        if steps == 0:
            return start
        streams = Streams.of(rng, start)

        def run(rows: Tensor) -> Tensor:
            return sample(energy.select(rows), start[rows], self.kernel, steps, streams.select(rows)).x

        return by_chunks(run, len(start), self.place, self.processes)

    def reconstruct(self, x: Tensor, *, steps: int | None = None, generator: Generator | None = None) -> Tensor:
        """g(z) `(n, *event)`, with z from the posterior of each example."""
        return self.generate(self.sample_posterior(x, steps=steps, generator=generator))

    def restore(
        self,
        x: Tensor,
        free: Tensor | None = None,
        *,
        degradation: Degradation | None = None,
        steps: int | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """One restored example for each degraded one: g(z) `(n, *event)`, with z inferred from the degraded example.

        Args:
            x: degraded examples y, in the user's units.
            free: boolean mask, broadcastable to x, of missing entries; short for `degradation=Missing(free)`.
            degradation: what was done to the examples.
            steps: transitions of the chains, which start at noise. The default is ten times the steps of the model, or
                200 if the model has none.
            generator: seeds the chains; they get a new seed if not given.

        Raises:
            UserError: if not one of `free` and `degradation` is given, or x cannot be an example that was degraded so.
        """
        require(steps is None or steps >= 1, f"steps must be at least 1, got {steps}")
        degradation, rng = as_degradation(free, degradation), seeded(generator)
        y = degradation.check(x, self.spec)
        seen = encoded(y, self.spec, self.place)
        prior: Any = self.prior
        energy = prior + Through(self.generator, degradation.likelihood(seen, self.sigma))
        start = self.posterior.start({}, seen, self.dim, rng)
        steps = 10 * (self.steps or POSTERIOR_STEPS) if steps is None else steps
        return degradation.merge(y, self.generate(self._chains(energy, start, steps, rng)))

    def score(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """Anomaly scores `(n,)`: the mean of `score_at` over five posterior samples. High means out of distribution.

        Raises:
            UserError: if x is not of the model's shape and domain, or a score is not finite.
        """
        samples = self.posterior_samples(x, generator=generator)
        return finite(torch.stack([self.score_at(x, z) for z in samples]).mean(0))

    def posterior_samples(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """Five posterior samples `(5, n, dim)` of each x `(n, *event)`."""
        rng = seeded(generator)
        return torch.stack([self.sample_posterior(x, generator=rng) for _ in range(SCORE_SAMPLES)])

    @torch.no_grad()
    def score_at(self, x: Tensor, z: Tensor) -> Tensor:
        """Scores `(n,)` of x `(n, *event)` with latent vectors z `(n, dim)`.

        With "joint", the score is the joint energy |x - g(z)|^2 / (2 sigma^2) - log p(z), up to a constant. With
        "ratio", p(z) is replaced by p(z) / p_0(z), where p_0 is the density of the base. The reason is that unseen data
        often lie between the modes, where p_0 is largest. For a prior without stages, this score is the reconstruction
        error alone. A larger `score_sigma` gives the prior more weight.
        """
        posterior = replace(self.posterior, sigma=self.score_sigma or self.sigma)
        x, joint = self._encoded(x), self.score_by == "joint"
        prior: Any = self.prior if joint else getattr(self.prior, "ratio", None)
        reconstruction = Reconstruction(self.generator, x, posterior.sigma)
        energy: Energy = reconstruction if prior is None else posterior.energy(prior, self.generator, x)
        return by_chunks(lambda rows: energy.select(rows)(z[rows]), len(x), self.place, self.processes)

    def log_prob(
        self, x: Tensor, *, particles: int = 10, levels: int = LEVELS, generator: Generator | None = None
    ) -> Tensor:
        """An estimate of log p(x) in nats, `(n,)`, for examples x `(n, *event)`. The density is over the model's units.

        Annealed importance sampling runs from the base through the prior to the posterior (Neal 2001). In
        expectation, its result is a lower bound of log p(x) plus the log Z of the prior. An estimate of this log Z is
        subtracted.

        Args:
            x: examples, in the user's units.
            particles: chains per example.
            levels: temperatures of the annealing of each stage, and of the reconstruction.
            generator: seeds the chains; they get a new seed if not given.
        """
        x, rng = self._encoded(x), seeded(generator)
        require(particles >= 1, f"particles must be at least 1, got {particles}")
        found = forward_evidence(self, x, particles, levels, rng)
        learned: Any = self.prior
        log_z = learned.log_z(generator=rng).value - self.base.log_z if self.stages else 0.0
        return (found.values - log_z).to(x.dtype)

    @torch.no_grad()
    def generate(self, z: Tensor) -> Tensor:
        """g(z) `(n, *event)` of z `(n, dim)`, in the user's units."""
        made = by_chunks(lambda rows: self.generator(z[rows]), len(z), self.place, self.processes)
        return self.spec.domain.decode(made)

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> LatentModel:
        """A copy on another device, or with another floating-point type."""
        encoder = None if self.encoder is None else moved(self.encoder, device, dtype)
        prior: Any = self.prior
        parts = moved(self.generator, device, dtype), moved(prior, device, dtype)
        return replace(self, generator=parts[0], prior=parts[1], encoder=encoder)

    def export(self, file: Path | str, *, dtype: torch.dtype | None = None) -> None:
        """Writes weights and settings into one file that `load` reads; parameters as `dtype`, if it is given."""
        shared.export(self.origin, file, dtype=dtype)

    def _encoded(self, x: Tensor) -> Tensor:
        """Checks x and converts it to the model's units, device and dtype."""
        return self.spec.domain.encode(checked(x, self.spec)).to(self.place)
