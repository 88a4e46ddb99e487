"""The reconstruction error of a latent model on held-out data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from energybased.evaluation.row import Row
from energybased.evaluation.subject import SAMPLES, Subject
from energybased.evaluation.work import Work


@dataclass(frozen=True)
class ReconstructionError:
    """Mean squared error of g(z), with z from the posterior; for pixels on the scale [-1, 1], as in the literature."""

    needs: ClassVar[tuple[str, ...]] = ("latent vectors", "held-out data")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield Work("posteriors", min(SAMPLES, len(subject.test)))

    def measure(self, subject: Subject) -> Iterator[Row]:
        x = subject.some(SAMPLES)
        pixels = subject.data.domain.bounds is not None
        error = (subject.model.reconstruct(x, generator=subject.rng()) - x).square().mean()
        inference = f"chains of {subject.model.steps} steps" if subject.model.steps else "the encoder"
        protocol = f"of {'pixels on [-1, 1]' if pixels else 'values'}, with z from {inference}"
        yield subject.row("mse", float(4 * error if pixels else error), protocol, n=len(x))
