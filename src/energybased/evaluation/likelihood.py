"""Log-likelihoods and log Z as rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from energybased.energy import Energy
from energybased.evaluation.partition import GROUPS, Sandwich
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.models.model import CHUNK
from energybased.sampling.annealed import Estimate


class Likelihood(NamedTuple):
    """Log-densities of examples.

    Args:
        values: `(n,)`, in nats.
        error: standard error of log Z that enters all of them, in nats.
    """

    values: Tensor
    error: float = 0.0

    @property
    def mean(self) -> float:
        """The mean over examples, in nats."""
        return float(self.values.double().mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean: of the choice of examples, and of log Z."""
        return math.hypot(float(self.values.double().std()) / math.sqrt(len(self.values)), self.error)


class Side(NamedTuple):
    """log Z from one end of a path.

    Args:
        estimates: one for each class, or a single one.
        protocol: how they were made.
    """

    estimates: Sequence[Estimate]
    protocol: str


def sides_of(found: Sequence[Sandwich], start: str, what: str = "log Z") -> dict[str, Side]:
    """The sides of log Z for each class, or of a single one, by what is added to the names of values.

    Args:
        found: estimates from both ends, or from the first alone.
        start: the first end of the path.
        what: whose log Z it is.
    """
    sides = {"": Side([s.forward for s in found], f"{what} forwards from {start}, in expectation a lower bound of it")}
    if all(s.backward is not None for s in found):
        exact = "exact samples, in expectation an upper bound of it"
        bound = exact if found[0].exact else "ends of chains: an estimate"
        backward = [s.backward for s in found if s.backward is not None]
        sides["_backward"] = Side(backward, f"{what} backwards from {bound}")
    return sides


def log_z_rows(subject: Subject, found: Sequence[Sandwich], sides: Mapping[str, Side], count: int) -> Iterator[Row]:
    """log Z of a single density, and the effective sample sizes and the width of the sandwich of all, as rows.

    Args:
        subject: names data and seed.
        found: estimates from both ends for each class, or of a single one.
        sides: what `sides_of` returned.
        count: number of chains.
    """
    each = f" for each of {len(found)} classes" if len(found) > 1 else ""
    for side, (estimates, how) in sides.items():
        protocol = f"{how}, {count} chains{each}"
        if not each:
            value, error, _ = estimates[0]
            yield subject.row(f"log_z{side}", value, f"{protocol}, nats", n=count)
            words = f"standard error between {GROUPS} groups; {protocol}"
            yield subject.row(f"log_z{side}_error", error, words, n=count)
        words = f"{'the least ' if each else ''}effective sample size of the last weights; {protocol}"
        yield subject.row(f"log_z{side}_ess", min(e.ess for e in estimates), words, n=count)
    if "_backward" in sides:
        largest = "the largest " if each else ""
        protocol = f"{largest}width of the sandwich of log Z, with two standard errors on both sides, nats"
        yield subject.row("log_z_width", max(s.high - s.low for s in found), protocol, n=count)


def likelihood_rows(
    subject: Subject, side: str, found: Likelihood, noise: float, how: str, system: str = ""
) -> Iterator[Row]:
    """The mean log-likelihood and its standard error, in nats and, for pixels, in bits a dimension, as rows.

    Args:
        subject: names data and seed.
        side: what is added to the names of the values.
        found: log-densities of test examples.
        noise: standard deviation of the noise that they have.
        how: how they were computed.
        system: see `Subject.row`.
    """
    n, dim, pixels = len(found.values), math.prod(subject.data.event), subject.data.domain.bounds is not None
    added = f"with noise of standard deviation {noise:g}" if noise else "without noise"
    units = "pixels in [0, 1]" if pixels else "standardised columns"
    protocol = f"{n} test examples {added}, density over {units}; {how}"
    scales = {"log_likelihood": (1.0, "nats an example")}
    if pixels:
        scales["bits_per_dim"] = (-1 / (dim * math.log(2)), "bits a dimension, less is better")
    for name, (scale, unit) in scales.items():
        yield subject.row(f"{name}{side}", scale * found.mean, f"{unit}: {protocol}", n=n, system=system)
        error = abs(scale) * found.standard_error
        yield subject.row(f"{name}{side}_error", error, f"standard error, {unit}: {protocol}", n=n, system=system)


@torch.no_grad()
def energies(energy: Energy, x: Tensor) -> Tensor:
    """Energies `(n,)` of x `(n, ...)`, in float64 on the processor."""
    return torch.cat([energy(part) for part in x.split(CHUNK)]).double().cpu()
