"""Fréchet distances of samples from a replay buffer at test time, and from the historical ensemble."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from energybased.evaluation.metrics.frechet_samples import frechet_row
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
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

    def measure(self, subject: Subject) -> Iterator[Row]:
        model, history, s = subject.model, subject.history, self.sampling
        enough = subject.count >= self.count
        fresh = subject.samples[: self.count] if enough else model.sample(self.count, generator=subject.rng())
        yield frechet_row(subject, "fd_fresh", fresh, "fresh samples")
        visits = f"{s.rounds} rounds of {s.batch} chains in a buffer of {s.size}"
        x = s.sample([model], self.count, subject.rng())
        yield frechet_row(subject, "fd_replay", x, f"a buffer at test time, {visits}")
        if history:
            x = s.sample(history, self.count, subject.rng())
            yield frechet_row(subject, "fd_ensemble", x, f"{len(history)} past weights in turn, {visits}")
