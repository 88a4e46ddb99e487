"""Fréchet distances of simple models of the pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from energybased.evaluation.metrics.frechet_samples import frechet_row
from energybased.evaluation.mixtures import EXAMPLES, best_mixture, fit_mixture
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject


@dataclass(frozen=True)
class FrechetBaselines:
    """The best mixture of Gaussians, one Gaussian, and training examples (the floor).

    The mixture is the one whose samples are nearest to the validation split. A conditional model is compared with
    mixtures of each class as well, which have seen the labels too.
    """

    needs: ClassVar[tuple[str, ...]] = ("samples", "held-out data", "judge")

    def measure(self, subject: Subject) -> Iterator[Row]:
        mixture, tried = best_mixture(subject)
        told = f"mixture of {mixture.name} Gaussians, the best of {tried} on the validation split"
        rng = subject.rng()
        yield frechet_row(subject, "fd", mixture.sample(subject.count, rng), told, "best mixture")
        one = fit_mixture(subject.train(EXAMPLES), 1, rng)
        yield frechet_row(subject, "fd", one.sample(subject.count, rng), f"{one.name} Gaussian", "Gaussian")
        yield frechet_row(subject, "fd", subject.train(subject.count), "training examples", "floor")
