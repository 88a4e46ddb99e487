"""The Fréchet distance of chains that are longer than the sampler's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from energybased.evaluation.metrics.frechet_row import frechet_row, reference
from energybased.evaluation.row import Row
from energybased.evaluation.subject import SAMPLES, Subject
from energybased.evaluation.work import Work, drawing


@dataclass(frozen=True)
class FrechetLong:
    """The Fréchet distance of fresh chains that are longer than the sampler's.

    Args:
        times: their length, in multiples of the sampler's.
    """

    needs: ClassVar[tuple[str, ...]] = ("chains", "samples", "held-out data", "judge")
    optional: ClassVar[bool] = True

    times: int = 10

    def work(self, subject: Subject) -> Iterator[Work]:
        yield drawing(subject, SAMPLES, self.times)

    def measure(self, subject: Subject) -> Iterator[Row]:
        steps = self.times * subject.model.sampler.length
        x = subject.model.sample(SAMPLES, steps=steps, generator=subject.rng())
        subject.pictures["fd_long"] = x
        yield frechet_row(subject, "fd_long", x, reference(subject), f"fresh chains of {steps} steps")
