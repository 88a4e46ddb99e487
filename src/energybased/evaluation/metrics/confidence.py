"""Confidence of a judge in samples, and the diversity of the classes that it assigns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from energybased.evaluation.mixtures import baseline_samples
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject

CONFIDENT = 0.9  # probability of the most probable class


@dataclass(frozen=True)
class Confidence:
    """Fraction of samples with a class of probability over 0.9 for the judge, and entropy of the assigned classes."""

    needs: ClassVar[tuple[str, ...]] = ("samples", "held-out data", "judge")

    def measure(self, subject: Subject) -> Iterator[Row]:
        mixture = baseline_samples(subject)["best mixture"][0]
        for system, x in (("", subject.samples), ("best mixture", mixture), ("test split", subject.test)):
            confident, entropy, largest = opinions(subject, x)
            protocol = f"fraction of {len(x)} pictures with judge confidence > {CONFIDENT}"
            yield subject.row("confident", confident, protocol, n=len(x), system=system)
            protocol = (
                f"entropy of the classes that the judge assigns to {len(x)} pictures, nats; at most {largest:.2f}"
            )
            yield subject.row("class_entropy", entropy, protocol, n=len(x), system=system)


def opinions(subject: Subject, x: Tensor) -> tuple[float, float, float]:
    """Fraction of confident samples, entropy of the assigned classes in nats, and the largest possible entropy.

    Args:
        subject: gives the judge.
        x: samples, `(n, *event)`.
    """
    assert subject.judge is not None
    probabilities = subject.judge.probabilities(x)
    confident = float((probabilities.max(1).values > CONFIDENT).float().mean())
    shares = torch.bincount(probabilities.argmax(1), minlength=probabilities.shape[1]) / len(probabilities)
    return confident, float(torch.special.entr(shares).sum()), math.log(probabilities.shape[1])
