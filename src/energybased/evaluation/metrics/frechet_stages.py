"""Fréchet distances of what a latent model draws with fewer stages, and from posteriors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from energybased.evaluation.metrics.frechet_samples import frechet_row
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject


@dataclass(frozen=True)
class FrechetStages:
    """The Fréchet distance of g(z), z of the prior after each of its stages but the last."""

    needs: ClassVar[tuple[str, ...]] = ("stages", "held-out data", "judge")

    def measure(self, subject: Subject) -> Iterator[Row]:
        for k in range(len(subject.model.prior.active)):
            x = subject.model.sample(subject.count, stages=k, generator=subject.rng())
            yield frechet_row(subject, f"fd_stage_{k}", x, f"the prior after {k} stages")


@dataclass(frozen=True)
class FrechetPosterior:
    """The Fréchet distance of g(z), z inferred from training examples: what a perfect prior would reach."""

    needs: ClassVar[tuple[str, ...]] = ("latent vectors", "held-out data", "judge")

    def measure(self, subject: Subject) -> Iterator[Row]:
        x = subject.model.reconstruct(subject.train(subject.count), generator=subject.rng())
        yield frechet_row(subject, "fd_posterior", x, "z of the posteriors of training examples")
