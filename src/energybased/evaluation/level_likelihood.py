"""The log-likelihood of held-out data under an energy over levels of noise.

Let E(x | sigma) be the energy without a class, and Z(sigma) the integral of exp(-E(x | sigma)). Score matching leaves a
constant open at each level, so log Z has to be estimated. Both estimates lead through the levels from the Gaussian that
the energy begins as, in coordinates u = (x - mean) / s, s^2 = sigma^2 + scale^2, in which this Gaussian is standard.

1. By noisy data. From a level to the next, log Z changes by minus the mean change of the energy over samples of either;
   the mean of the two is taken (Kirkwood 1935). Training examples with the noise of each level are the samples, so no
   chains are needed. It is right if exp(-E) is the density of noisy data at all levels. An energy that was trained by
   the time score has log Z near 0.
2. By annealed importance sampling, forwards from samples of the Gaussian, and backwards from samples of the model. It
   is right for any energy, up to its error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor

from energybased.algebra import Composite
from energybased.energies import StandardNormal
from energybased.energy import Condition, Energy
from energybased.evaluation.likelihood import Likelihood, energies, likelihood_rows, log_z_rows, sides_of
from energybased.evaluation.mixtures import EXAMPLES
from energybased.evaluation.partition import GROUPS, Sandwich
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.models.noise_conditional import NoiseConditionalModel
from energybased.sampling import HMC
from energybased.sampling.annealed import Estimate
from energybased.sampling.annealed_sequence import anneal_sequence

LEVELS, CHAINS, KERNEL = 250, GROUPS, HMC(0.2, 5)  # of annealing; the step size is adapted on the way
DATA_LEVELS, DATA_EXAMPLES = 64, 256  # levels of the estimate by noisy data, and examples at each


class InStandardUnits(Composite):
    """E(mean + s u) - d log s as a function of u `(batch, *event)`: the energy of the density of u.

    Args:
        energy: E, of x `(batch, *event)`.
        mean: `event`.
        s: 0-d.
    """

    mean: Tensor
    s: Tensor

    def __init__(self, energy: Energy, mean: Tensor, s: Tensor) -> None:
        super().__init__([energy])
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("s", s, persistent=False)

    def rebuild(self, terms: Sequence[Energy]) -> Energy:
        return InStandardUnits(terms[0], self.mean, self.s)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return self.values(self.mean + self.s * x, y)[0] - self.mean.numel() * self.s.log()

    def standardised(self, x: Tensor) -> Tensor:
        """u `(batch, *event)` of x."""
        return (x - self.mean) / self.s


def level_rows(subject: Subject, x: Tensor, rng: Generator) -> Iterator[Row]:
    """Rows of a model over levels of noise, at test examples x with the noise of its level, `(n, *event)`."""
    model = subject.model
    assert isinstance(model, NoiseConditionalModel)
    by_data = log_z_by_data(subject, model, rng)
    found = [annealed_log_z(model, rng)]
    sides = sides_of(found, f"a Gaussian through {LEVELS} levels of noise")
    yield from log_z_rows(subject, found, sides, CHAINS)
    told = f"log Z by {DATA_EXAMPLES} draws of training examples with the noise of each of {DATA_LEVELS} levels"
    yield subject.row("log_z_levels", by_data.value, f"{told}, nats", n=DATA_EXAMPLES)
    yield subject.row("log_z_levels_error", by_data.error, f"standard error; {told}, nats", n=DATA_EXAMPLES)
    values = -energies(model.marginal, x.to(model.place))
    ends = {side: (estimates[0], f"{how}, {CHAINS} chains") for side, (estimates, how) in sides.items()}
    for side, (estimate, how) in {**ends, "_levels": (by_data, told)}.items():
        likelihood = Likelihood(values - estimate.value, estimate.error)
        yield from likelihood_rows(subject, side, likelihood, model.noise, how)


def annealed_log_z(model: NoiseConditionalModel, rng: Generator) -> Sandwich:
    """log Z of the model's energy without a class, at its level, by annealed importance sampling from both ends."""
    event, steps = model.spec.event, path(model, LEVELS)
    normal, last = StandardNormal(math.prod(event)).to(model.place), steps[-1]
    start = normal.sample(CHAINS, rng).view(CHAINS, *event)
    forward = anneal_sequence([normal, *steps], start, KERNEL, generator=rng, populations=GROUPS)
    x = replace(model, guidance=0.0).start(CHAINS, generator=rng)  # of the energy without a class
    down = [last, *reversed(steps), normal]  # the first transitions are under the energy of the samples
    backward = anneal_sequence(down, last.standardised(x), forward.kernel, generator=rng, populations=GROUPS)
    known, below, above = float(normal.log_z), forward.estimate(), backward.estimate()
    return Sandwich(  # chains were not resampled, so the weights of all are comparable
        Estimate(known + below.value, below.error, forward.ess()),
        Estimate(known - above.value, above.error, backward.ess()),
    )


def log_z_by_data(subject: Subject, model: NoiseConditionalModel, rng: Generator) -> Estimate:
    """log Z of the model's energy without a class, at its level, if its densities are those of noisy data."""
    event, levels, steps = model.spec.event, levels_of(model, DATA_LEVELS), path(model, DATA_LEVELS)
    clean = subject.data.domain.encode(subject.train(EXAMPLES))
    normal = StandardNormal(math.prod(event)).to(model.place)

    def noisy(sigma: float) -> Tensor:
        rows = torch.randint(len(clean), (DATA_EXAMPLES,), generator=rng)
        return (clean[rows] + sigma * torch.randn(len(rows), *event, generator=rng)).to(model.place)

    samples = [normal.sample(DATA_EXAMPLES, rng).view(-1, *event)]
    samples += [step.standardised(noisy(sigma)) for sigma, step in zip(levels, steps, strict=True)]
    total, variance, every = float(normal.log_z), 0.0, [normal, *steps]
    for i, u in enumerate(samples):  # half of the change to the level and half of that from it, on the same samples
        before, after = every[max(i - 1, 0)], every[min(i + 1, len(steps))]
        change = (energies(after, u) - energies(before, u)) / 2
        total -= float(change.mean())
        variance += float(change.var()) / len(change)
    return Estimate(total, math.sqrt(variance), math.nan)


def levels_of(model: NoiseConditionalModel, n: int) -> list[float]:
    """n levels from the highest to the model's, evenly spaced in log(sigma / s), the noise of u."""
    assert model.levels is not None
    scale, high = float(model.levels.scale), model.levels.levels[1]
    first, last = (math.log(sigma / math.hypot(sigma, scale)) for sigma in (high, model.noise))
    between = [math.exp(first + (last - first) * i / (n - 1)) for i in range(1, n - 1)]
    return [high, *(scale * ratio / math.sqrt(1 - ratio**2) for ratio in between), model.noise]


def path(model: NoiseConditionalModel, n: int) -> list[InStandardUnits]:
    """The energies without a class at n levels, from the highest to the model's, as functions of u."""
    assert model.levels is not None
    scale, mean = model.levels.scale, model.levels.mean
    return [
        InStandardUnits(model.at(sigma).marginal, mean, (sigma**2 + scale.square()).sqrt())
        for sigma in levels_of(model, n)
    ]
