"""Fréchet distances of a latent model with fewer stages of its prior, and with posteriors in place of the prior."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from energybased.evaluation.metrics.frechet_row import frechet_row, reference
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work


@dataclass(frozen=True)
class FrechetStages:
    """The Fréchet distance of g(z), with z from the prior with 0, 1, ... of its stages, but not all."""

    needs: ClassVar[tuple[str, ...]] = ("stages", "held-out data", "judge")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield Work("samples", subject.count * len(subject.model.prior.active))

    def measure(self, subject: Subject) -> Iterator[Row]:
        for k in range(len(subject.model.prior.active)):
            x = subject.model.sample(subject.count, stages=k, generator=subject.rng())
            words = f"g(z), with z from the prior with {k} of its stages"
            yield frechet_row(subject, f"fd_stage_{k}", x, reference(subject), words)


@dataclass(frozen=True)
class FrechetPosterior:
    """The Fréchet distance of g(z), with z from posteriors of training examples: that of a perfect prior."""

    needs: ClassVar[tuple[str, ...]] = ("latent vectors", "held-out data", "judge")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield Work("posteriors", subject.count)

    def measure(self, subject: Subject) -> Iterator[Row]:
        x = subject.model.reconstruct(subject.train(subject.count), generator=subject.rng())
        words = "g(z), with z from posteriors of training examples"
        yield frechet_row(subject, "fd_posterior", x, reference(subject), words)
