"""Fréchet distances of samples from a replay buffer at test time, and from the historical ensemble."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from energybased.evaluation.compared import extractor_of, number
from energybased.evaluation.metrics.frechet_row import frechet_row, reference
from energybased.evaluation.row import Row
from energybased.evaluation.subject import LITE, Subject
from energybased.evaluation.work import Work, drawing, samples
from energybased.tasks.replay_sampling import ReplaySampling


@dataclass(frozen=True)
class FrechetReplay:
    """The Fréchet distances of samples as the first paper draws them, beside as many fresh samples.

    Args:
        sampling: settings of the buffer.
        count: number of samples of each kind.
    """

    needs: ClassVar[tuple[str, ...]] = ("chains", "samples", "held-out data", "judge")
    optional: ClassVar[bool] = True

    sampling: ReplaySampling = ReplaySampling()
    count: int = 2000

    def work(self, subject: Subject) -> Iterator[Work]:
        s, kinds = self.sampling, 1 + bool(subject.history)
        visits = s.rounds * min(s.batch, s.size) * self.count / s.size
        yield samples(subject) if subject.count >= self.count else drawing(subject, self.count)
        yield Work("chains", kinds * visits * subject.model.sampler.steps)
        if subject.has(LITE[0]):
            yield Work("lite0", (1 + kinds) * self.count)

    def measure(self, subject: Subject) -> Iterator[Row]:
        model, s = subject.model, self.sampling
        enough = subject.count >= self.count
        fresh = subject.samples[: self.count] if enough else model.sample(self.count, generator=subject.rng())
        yield from self.distances(subject, "fresh", fresh, "fresh samples")
        anew, other = model.sampler.restart, model.sampler.relabel
        visits = f"{s.rounds} rounds of {s.batch} chains in a buffer of {s.size}, restart {anew:g}, relabel {other:g}"
        x = s.sample([model], self.count, subject.rng())
        yield from self.distances(subject, "replay", x, f"a buffer at test time, {visits}")
        if subject.history:
            x = s.sample(subject.history, self.count, subject.rng())
            yield from self.distances(subject, "ensemble", x, f"{len(subject.history)} past weights in turn, {visits}")

    def distances(self, subject: Subject, kind: str, x: Tensor, what: str) -> Iterator[Row]:
        """The distances of x `(n, *event)`, in the judge's features and, if they are there, in EfficientNet-Lite0's."""
        yield frechet_row(subject, f"fd_{kind}", x, reference(subject), what)
        x = x[: number(subject)]
        if subject.has(LITE[0]) and len(x) > extractor_of(subject, "lite0").width:
            yield frechet_row(subject, f"fd_{kind}_lite0", x, reference(subject, "lite0", len(x)), what)
