"""What takes the time of a metric."""

from __future__ import annotations

from typing import NamedTuple

from energybased.evaluation.subject import Subject
from energybased.models.conditioned import conditioned
from energybased.models.degradation import Degradation

LONGER = 10  # how often the chains of a latent model that restore have the length of others


class Work(NamedTuple):
    """What a metric repeats so often that it takes its time.

    Args:
        what: what is repeated, by its name in `cost.TRIALS`, or the name of an extractor that reads pictures; None if
            how often is not known beforehand.
        times: how often.
        shared: whether the results are kept for other metrics that need the same, so that it is done once.
    """

    what: str | None
    times: float = 0.0
    shared: bool = False


def drawing(subject: Subject, n: int, times: float = 1.0, shared: bool = False) -> Work:
    """n samples of the subject's model, by chains that are `times` as long as the sampler's."""
    if subject.has("chains"):
        return Work("chains", n * times * subject.model.sampler.length, shared)
    return Work("samples", n, shared)


def samples(subject: Subject) -> Work:
    """The samples of the subject, which metrics share."""
    return drawing(subject, subject.count, shared=True)


def restoring(subject: Subject, n: int, degradation: Degradation) -> Work:
    """n restored examples, by chains under the sum over the classes, or on the posterior of a latent model."""
    model = subject.model
    if not subject.has("chains"):
        return Work("posteriors", LONGER * n) if model.steps else Work(None)
    y = degradation.apply(subject.test[:1], subject.rng())
    length = conditioned(model, y, degradation, subject.rng()).steps
    return Work("summed chains" if model.classes else "chains", n * length)
