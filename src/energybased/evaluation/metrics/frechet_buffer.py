"""The Fréchet distance of the chains in a replay buffer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from energybased.conditions import tensors
from energybased.evaluation.compared import JUDGE, InFeatures, extractor_of, number, suffix
from energybased.evaluation.metrics.frechet_row import frechet_row, reference, require_frechet
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work


@dataclass(frozen=True)
class FrechetBuffer(InFeatures):
    """The Fréchet distance of the training chains in the replay buffer of the last checkpoint, after denoising."""

    also: ClassVar[tuple[str, ...]] = ("chains", "replay buffer")

    def work(self, subject: Subject) -> Iterator[Work]:
        if self.extractor != JUDGE:
            yield Work(self.extractor, 2 * number(subject))

    def measure(self, subject: Subject) -> Iterator[Row]:
        metric = f"fd_buffer{suffix(self.extractor)}"
        x = buffer_samples(subject, subject.count if self.extractor == JUDGE else number(subject))
        if self.extractor != JUDGE:
            require_frechet(extractor_of(subject, self.extractor), len(x))
        against = reference(subject, self.extractor, len(x))
        yield frechet_row(subject, metric, x, against, "chains of the replay buffer")


def buffer_samples(subject: Subject, n: int) -> Tensor:
    """n chains of the replay buffer, or all if there are fewer, `(n, *event)`, denoised, in the user's units.

    A chain of a conditional model is denoised with the energy under its condition, or with the marginal energy if the
    buffer relabels its chains. From a buffer by class, every class gets the same number of chains.
    """
    assert subject.buffer is not None
    buffer, state = subject.buffer
    rng, model = torch.Generator().manual_seed(0), subject.model
    x, y = buffer.contents(state, rng)
    lanes = len(state["pointer"])
    rows = torch.randperm(len(x) // lanes, generator=rng, device="cpu")[: -(-n // lanes)]
    rows = (rows[:, None] * lanes + torch.arange(lanes, device="cpu")).flatten()[:n]
    if model.conditions:
        bound = None if y is None else model.given(*(part[rows] for part in tensors(y)))
        model = bound or replace(model, energy=model.marginal, conditions=(), fitted=None)
    return model.denoise(x[rows].to(model.place))
