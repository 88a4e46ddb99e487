"""Confidence of a judge in samples, and the diversity of the classes that it assigns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from energybased.evaluation.compared import JUDGE, all_features, whole_test
from energybased.evaluation.finite import require_finite
from energybased.evaluation.mixtures import fitting
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work, samples

CONFIDENT = 0.9  # probability of the most probable class


@dataclass(frozen=True)
class Confidence:
    """Fraction of samples with a class of probability over 0.9 for the judge, and entropy of the assigned classes.

    Of a model that is conditional on the class, `class_asked` is the fraction of samples to which the judge gives the
    class that they were drawn for.
    """

    needs: ClassVar[tuple[str, ...]] = ("samples", "held-out data", "judge")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield samples(subject)
        yield from fitting(subject)

    def measure(self, subject: Subject) -> Iterator[Row]:
        judge = subject.judge
        assert judge is not None
        drawn = ((system, judge.classify(all_features(subject, JUDGE, system))) for system in ("", "best mixture"))
        for system, p in (*drawn, ("test split", judge.classify(whole_test(subject).rows))):
            confident, entropy, largest = confidence(p)
            protocol = f"fraction of {len(p)} pictures with judge confidence > {CONFIDENT}"
            yield subject.row("confident", confident, protocol, n=len(p), system=system)
            protocol = (
                f"entropy of the classes that the judge assigns to {len(p)} pictures, nats; at most {largest:.2f}"
            )
            yield subject.row("class_entropy", entropy, protocol, n=len(p), system=system)
            if system == "" and subject.model.classes == p.shape[1]:
                asked = torch.arange(len(p), device=p.device) % p.shape[1]  # samples go through the classes in turn
                share, protocol = float((p.argmax(1) == asked).float().mean()), f"of {len(p)} samples by class"
                yield subject.row("class_asked", share, protocol, n=len(p))


def confidence(probabilities: Tensor) -> tuple[float, float, float]:
    """Fraction of confident samples, entropy of the assigned classes in nats, and the largest possible entropy.

    Args:
        probabilities: of the classes, `(n, classes)`.

    Raises:
        UserError: if a probability is not finite.
    """
    require_finite("probabilities", probabilities)
    confident = float((probabilities.max(1).values > CONFIDENT).float().mean())
    shares = torch.bincount(probabilities.argmax(1), minlength=probabilities.shape[1]) / len(probabilities)
    return confident, float(torch.special.entr(shares).sum()), math.log(probabilities.shape[1])
