"""Mixtures of Gaussians over the data, as baselines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Generator, Tensor

from energybased.energies import Analytic, GaussianMixture, PrincipalGaussian, PrincipalMixture
from energybased.evaluation.enough import require_enough
from energybased.evaluation.features import reference_features
from energybased.evaluation.frechet import frechet_distance
from energybased.evaluation.subject import SAMPLES, Subject
from energybased.evaluation.work import Work

DIRECT = 256  # largest number of entries for which mixtures are fitted to the entries themselves
PRINCIPAL = 50  # principal components to which mixtures are fitted for larger events
EXAMPLES = 20_000  # most examples that mixtures are fitted to
COMPONENTS, PER_CLASS = (10, 30, 60), (1, 2, 4)
COMPONENTS_BEYOND, PER_CLASS_BEYOND = (10, 30), (3, 10, 20)
RIDGE = 1e-3  # added to every variance


@dataclass(frozen=True)
class FittedMixture:
    """A fitted mixture with full covariances, which is sampled and scored like a model.

    Args:
        density: the energy, over flattened examples `(batch, dim)`.
        components: number of Gaussians.
        event: shape of one example.
        by_class: whether mixtures were fitted class by class and then joined.
    """

    density: Analytic
    components: int
    event: tuple[int, ...]
    by_class: bool = False

    @property
    def name(self) -> str:
        """The number of Gaussians, how they were fitted, and the number of principal components if there are any."""
        base = getattr(self.density, "base", None)
        name = f"{self.components} Gaussian{'s' * (self.components > 1)}" + " by class" * self.by_class
        return name if base is None else f"{name} on {base.rank} principal components"

    def sample(self, n: int, generator: Generator) -> Tensor:
        """n samples `(n, *event)`. For a `PrincipalMixture`, they have no noise outside the principal directions."""
        if isinstance(self.density, PrincipalMixture):
            base = self.density.base
            x = base.mean + self.density.mixture.sample(n, generator) @ base.directions.T
        else:
            x = self.density.sample(n, generator)
        return x.float().reshape(n, *self.event)

    def energy(self, x: Tensor) -> Tensor:
        """Minus the log-density of x `(n, *event)`, in nats, `(n,)`."""
        return -self.density.log_prob(x.flatten(1).double())


def fit_mixture(x: Tensor, components: int, generator: Generator) -> FittedMixture:
    """Fits a mixture to x `(n, *event)` in float64, with 1e-3 added to every variance."""
    flat, event = _flat(x), tuple(x.shape[1:])
    if flat.shape[1] <= DIRECT:
        density: Analytic = GaussianMixture.fit(flat, components, generator, RIDGE)
    else:
        density = PrincipalMixture.fit(flat, components, min(PRINCIPAL, len(flat) - 1), generator, RIDGE)
    return FittedMixture(density, components, event)


def fit_class_mixture(x: Tensor, y: Tensor, components: int, generator: Generator) -> FittedMixture:
    """Fits one mixture per class, and joins them with the frequencies of the classes as weights.

    Args:
        x: examples, `(n, *event)`.
        y: class numbers, `(n,)`.
        components: number of Gaussians per class.
        generator: seeds the fits.
    """
    flat, y = _flat(x), y[: len(_flat(x))]
    direct = flat.shape[1] <= DIRECT
    base = None if direct else PrincipalGaussian.fit(flat, min(PRINCIPAL, len(flat) - 1))
    z = flat if base is None else base.coordinates(flat)
    classes, counts = y.unique(return_counts=True)
    parts = [GaussianMixture.fit(z[y == c], components, generator, RIDGE) for c in classes]
    joined = GaussianMixture.join(parts, counts)
    density = joined if base is None else PrincipalMixture(base, joined)
    return FittedMixture(density, len(joined.means), tuple(x.shape[1:]), by_class=True)


def candidates(x: Tensor, y: Tensor | None, generator: Generator) -> list[FittedMixture]:
    """Mixtures of several sizes, fitted to x `(n, *event)`; with labels y `(n,)`, mixtures by class too.

    Raises:
        TooFew: if there are too few examples.
    """
    beyond = x[0].numel() > DIRECT
    counts = [k for k in (COMPONENTS_BEYOND if beyond else COMPONENTS) if k <= len(x)]
    mixtures = [fit_mixture(x, k, generator) for k in counts]
    if y is not None:
        fewest = int(y[:EXAMPLES].unique(return_counts=True)[1].min())
        counts = [k for k in (PER_CLASS_BEYOND if beyond else PER_CLASS) if k <= fewest and fewest > 1]
        mixtures += [fit_class_mixture(x, y, k, generator) for k in counts]
    if not mixtures:
        require_enough(f"a mixture of {COMPONENTS[0]} Gaussians", COMPONENTS[0], len(x))
    return mixtures


def nearest_mixture(subject: Subject, mixtures: Sequence[FittedMixture]) -> FittedMixture:
    """The mixture whose samples have the smallest Fréchet distance to the validation split."""
    judge, rng = subject.judge, subject.rng()
    assert judge is not None
    held = reference_features(judge, subject.data.values(subject.data.validation)).moments
    return min(mixtures, key=lambda mixture: frechet_distance(judge.features(mixture.sample(SAMPLES, rng)), held))


def best_mixture(subject: Subject) -> tuple[FittedMixture, str]:
    """The best mixture on the validation split, and the names of all candidates. It is fitted once per subject."""

    def fit() -> tuple[FittedMixture, str]:
        data = subject.data
        labels = data.train.take(slice(EXAMPLES)).y if subject.has("classes") else None
        y = labels if isinstance(labels, Tensor) else None
        mixtures = candidates(data.values(data.train, slice(EXAMPLES)), y, subject.rng())
        return nearest_mixture(subject, mixtures), ", ".join(m.name for m in mixtures)

    return subject.once("mixture", fit)


def fitting(subject: Subject) -> Iterator[Work]:
    """The fits of the mixtures of which the best is chosen, if there is a judge to choose it; metrics share them."""
    beyond = math.prod(subject.data.event) > DIRECT
    counts, per_class = (COMPONENTS_BEYOND, PER_CLASS_BEYOND) if beyond else (COMPONENTS, PER_CLASS)
    passes = sum(counts) + (sum(per_class) if subject.has("classes") else 0)
    if subject.judge is not None:
        yield Work("mixture", min(EXAMPLES, len(subject.data.train)) * passes, shared=True)


def baseline_samples(subject: Subject) -> dict[str, tuple[Tensor, str]]:
    """Samples `(count, *event)` of the best mixture and of one Gaussian, and how each was fitted, by name.

    There is no best mixture without a judge, which chooses it. They are fitted and drawn once per subject.
    """

    def draw() -> dict[str, tuple[Tensor, str]]:
        rng, found = subject.rng(), dict[str, tuple[Tensor, str]]()
        if subject.judge is not None:
            mixture, tried = best_mixture(subject)
            how = f"{mixture.name}, chosen on the validation split from: {tried}"
            found["best mixture"] = mixture.sample(subject.count, rng), how
        one = fit_mixture(subject.train(EXAMPLES), 1, rng)
        found["Gaussian"] = one.sample(subject.count, rng), one.name
        return found

    return subject.once("baseline samples", draw)


def add_noise(density: Analytic, noise: float) -> Analytic:
    """The density of x plus Gaussian noise of standard deviation `noise`, for x with a fitted mixture's density."""
    if isinstance(density, PrincipalMixture):
        base = density.base
        spread = PrincipalGaussian(base.mean, base.directions, base.variances + noise**2, base.rest + noise**2)
        return PrincipalMixture(spread, cast(GaussianMixture, add_noise(density.mixture, noise)))
    assert isinstance(density, GaussianMixture)
    covariances = density.scales @ density.scales.mT + noise**2 * torch.eye(density.dim).to(density.scales)
    return GaussianMixture(density.means, covariances, density.log_weights.exp())


def _flat(x: Tensor) -> Tensor:
    return x[:EXAMPLES].flatten(1).double().cpu()
