"""The log-likelihood of held-out data by annealed importance sampling."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from energybased.data import Split
from energybased.energies import Analytic, PrincipalGaussian, Uniform
from energybased.errors import require
from energybased.evaluation.enough import require_enough
from energybased.evaluation.latent_likelihood import latent_rows
from energybased.evaluation.level_likelihood import level_rows
from energybased.evaluation.likelihood import Likelihood, energies, likelihood_rows, log_z_rows, sides_of
from energybased.evaluation.mixtures import COMPONENTS, EXAMPLES, add_noise, candidates
from energybased.evaluation.partition import GROUPS, Sandwich, enough_chains, sandwiches
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work
from energybased.models import EnergyModel
from energybased.models.noise_conditional import NoiseConditionalModel
from energybased.sampling.kernel import Bounds

OF_CLASS = 10 * GROUPS  # chains for each class; with ten, the error of the mean over them is below 0.1 nats on MNIST
LARGEST, PER_DIRECTION = 1024, 4  # most directions of the Gaussian, and fewest examples for each
SMALLEST = 1e-3  # least noise of the Gaussian, in the model's units


class Path(NamedTuple):
    """Where the path to an energy begins.

    Args:
        base: a density over flattened x.
        name: its name.
        scale: chains move in the coordinates in which this Gaussian is standard; in those of x if None.
        bounds: of every entry of x.
    """

    base: Analytic
    name: str
    scale: PrincipalGaussian | None = None
    bounds: Bounds | None = None


@dataclass(frozen=True)
class LogLikelihood:
    """Mean log-likelihood of the test split by annealed importance sampling (Neal 2001), in nats and bits a dimension.

    For an energy, log Z is estimated forwards, from a Gaussian fitted to the training split, the energy's own base or
    the uniform density within the bounds of its chains, and backwards, from the model's samples. Backwards it is a
    bound if the samples are exact; those of chains are not. A model that has learned noisy data is measured on data
    with the same noise, beside a Gaussian and a mixture of Gaussians that are fitted to such data. The density of an
    energy that is conditional on the class is sum_y p(y) exp(-E(x, y)) / Z_y, with the shares of the classes in the
    training split. For an energy over levels of noise see `evaluation.level_likelihood`, and for a latent model
    `evaluation.latent_likelihood`.
    """

    needs: ClassVar[tuple[str, ...]] = ("energies", "held-out data")
    optional: ClassVar[bool] = True  # minutes for pictures

    def work(self, subject: Subject) -> Iterator[Work]:
        yield Work(None)  # the levels of the annealing are chosen on the way

    def measure(self, subject: Subject) -> Iterator[Row]:
        require_enough("a log-likelihood with its error", 2, len(subject.test))
        if subject.has("latent vectors"):
            yield from latent_rows(subject)
            return
        rng, noise = subject.rng(), subject.model.noise
        x = noisy(subject, subject.data.test, rng, noise)
        if isinstance(subject.model, NoiseConditionalModel):
            yield from level_rows(subject, x, rng)
        else:
            yield from energy_rows(subject, x, rng)
        for system, (values, fit) in baselines(subject, x.flatten(1).double(), rng).items():
            yield from likelihood_rows(subject, "", Likelihood(values), noise, fit, system)


def energy_rows(subject: Subject, x: Tensor, rng: Generator) -> Iterator[Row]:
    """Rows of an energy over data, at test examples x with the noise of the model, `(n, *event)`."""
    model: EnergyModel = subject.model
    labels = range(model.classes)
    path = path_of(subject)
    parts = [model.given(label) for label in labels] or [model]
    count = OF_CLASS if model.classes else enough_chains(math.prod(subject.data.event))
    found = log_zs(model, path, count, rng)
    sides = sides_of(found, path.name)
    yield from log_z_rows(subject, found, sides, count)
    shares = class_shares(subject, len(parts))
    minus_energies = torch.stack([-energies(part.energy, x.to(model.place)) for part in parts], 1)
    for side, (estimates, how) in sides.items():
        values = torch.tensor([e.value for e in estimates], dtype=torch.float64)
        errors = torch.tensor([e.error for e in estimates], dtype=torch.float64)
        joint = minus_energies - values + shares.log()
        error = float((joint.softmax(1).mean(0) * errors).square().sum().sqrt())
        likelihood = Likelihood(joint.logsumexp(1), error)
        yield from likelihood_rows(subject, side, likelihood, model.noise, how)


def log_zs(model: EnergyModel, path: Path, chains: int, rng: Generator) -> list[Sandwich]:
    """Estimates of log Z for each class of the model, or of its single density, from both sides if it can be sampled.

    All classes are in one batch of chains, `chains` for each.
    """
    event, exact, count = model.spec.event, isinstance(model.energy, Analytic), max(1, model.classes)
    labels = torch.arange(count, device=model.place.device).repeat_interleave(chains)
    rows, samples = model.given(labels) if model.classes else model, None
    if isinstance(model.energy, Analytic):
        samples = model.energy.sample(chains, rng).view(chains, *event)
    elif model.sampler is not None:
        samples = rows.run_chains(rows.start(count * chains, generator=rng), generator=rng).x
    return sandwiches(
        rows.energy, count, path.base, event, chains, samples, exact, path.scale, path.bounds, generator=rng
    )


def path_of(subject: Subject) -> Path:
    """The base of the path to the energy of the subject's model.

    It is the uniform density within the bounds of the model's chains, if they have any. Else it is the base of the
    energy itself, or a Gaussian that is fitted to training examples with the noise of the model.

    Raises:
        UserError: if the chains have bounds, and noisy data lie beyond them.
    """
    model: EnergyModel = subject.model
    own, bounds = getattr(model.energy, "base", None), getattr(getattr(model.sampler, "kernel", None), "bounds", None)
    if bounds is not None:
        refused = f"the model's chains stay in {bounds}, which data with noise of {model.noise:g} leave: they have no"
        require(model.noise == 0, f"{refused} log-likelihood")
        uniform = Uniform(math.prod(subject.data.event), *bounds).to(model.place)
        return Path(uniform, "the uniform density within the bounds of the chains", bounds=bounds)
    if isinstance(own, PrincipalGaussian):
        return Path(own, "the energy's own Gaussian", own)
    gaussian = fitted_gaussian(subject).to(model.place)
    if isinstance(own, Analytic):
        return Path(own, "the energy's own mixture of Gaussians", gaussian)
    return Path(gaussian, "a Gaussian fitted to the training split", gaussian)


def fitted_gaussian(subject: Subject) -> PrincipalGaussian:
    """A Gaussian over flattened x, fitted to training examples with the noise of the subject's model."""
    x = subject.data.domain.encode(subject.train(EXAMPLES)).flatten(1)
    rank = max(1, min(x.shape[1], LARGEST, len(x) // PER_DIRECTION))
    return PrincipalGaussian.fit(x.double(), rank, max(subject.model.noise, SMALLEST))


def baselines(subject: Subject, x: Tensor, rng: Generator) -> dict[str, tuple[Tensor, str]]:
    """Log-densities `(n,)` of x `(n, dim)`, and how they were fitted, for densities of data with the model's noise.

    They are those of a Gaussian, and of the mixture of Gaussians that has the least mean energy on the validation
    split. Both are fitted to data without noise, and the variance of the noise is added to their covariances.
    """
    data, noise, gaussian = subject.data, subject.model.noise, fitted_gaussian(subject)
    found = {"Gaussian": (gaussian.log_prob(x), f"fitted along {gaussian.rank} directions")}
    if len(data.train) >= COMPONENTS[0] and len(data.validation) > 0:
        held = noisy(subject, data.validation, rng, noise).flatten(1).double()
        mixtures = candidates(data.domain.encode(subject.train(EXAMPLES)), None, rng)
        densities = {mixture.name: add_noise(mixture.density, noise) for mixture in mixtures}
        best = max(densities, key=lambda name: float(log_prob(densities[name], held).mean()))
        tried = f"{best}, chosen on the validation split from: {', '.join(densities)}"
        found["mixture of Gaussians"] = log_prob(densities[best], x), tried
    return found


def log_prob(density: Analytic, x: Tensor) -> Tensor:
    """log p(x) `(n,)` of x `(n, dim)`, in nats."""
    return -energies(density, x) - float(density.log_z)


def noisy(subject: Subject, split: Split, rng: Generator, noise: float) -> Tensor:
    """A split as training sees them, `(n, *event)`: dequantised or standardised, with noise added."""
    x = subject.data.domain.batch(split.take().x, rng)
    return x + noise * torch.randn(x.shape, generator=rng).to(x)


def class_shares(subject: Subject, classes: int) -> Tensor:
    """The shares of the classes in the training split, `(classes,)`; 1 for a single density."""
    if classes == 1:
        return torch.ones(1, dtype=torch.float64)
    y = subject.data.train.take().y
    assert isinstance(y, Tensor)
    counts = torch.bincount(y.cpu().long(), minlength=classes).double()
    return counts / counts.sum()
