"""The Fréchet distance of chains that are longer than the sampler's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from energybased.evaluation.metrics.frechet_row import frechet_row, reference
from energybased.evaluation.row import Row
from energybased.evaluation.subject import SAMPLES, Subject
from energybased.evaluation.work import Work, drawing
from energybased.models.noise_conditional import NoiseConditionalModel


@dataclass(frozen=True)
class FrechetLong:
    """The Fréchet distance of fresh chains that are longer than the sampler's.

    Samples of a model over levels of noise come from a flow. Its chains begin at them, at its level, and chains of the
    sampler's length are measured too.

    Args:
        times: their length, in multiples of the sampler's.
    """

    needs: ClassVar[tuple[str, ...]] = ("chains", "samples", "held-out data", "judge")
    optional: ClassVar[bool] = True

    times: int = 10

    def work(self, subject: Subject) -> Iterator[Work]:
        yield drawing(subject, SAMPLES, self.times)

    def measure(self, subject: Subject) -> Iterator[Row]:
        model, against = subject.model, reference(subject)
        steps, chains = model.sampler.length, getattr(model, "sample_chains", model.sample)
        if isinstance(model, NoiseConditionalModel):  # whose samples come from a flow
            x = chains(SAMPLES, steps=steps, generator=subject.rng())
            yield frechet_row(subject, "fd_chains", x, against, self._told(model, steps))
        x = chains(SAMPLES, steps=self.times * steps, generator=subject.rng())
        subject.pictures["fd_long"] = x
        yield frechet_row(subject, "fd_long", x, against, self._told(model, self.times * steps))

    @staticmethod
    def _told(model: Any, steps: int) -> str:
        if isinstance(model, NoiseConditionalModel):
            return f"chains of {steps} steps at the level {model.noise:g}, which begin at samples of the flow"
        return f"fresh chains of {steps} steps"
