"""The energy distance of conditional samples, beside their conditions, to held-out data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from energybased.conditions import Classes, Conditions, tensors
from energybased.data import AnyDomain, Reals
from energybased.energy import Condition
from energybased.evaluation.metrics.energy_distance import energy_distance
from energybased.evaluation.row import Row
from energybased.evaluation.standardised import ROWS
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work, drawing


@dataclass(frozen=True)
class JointEnergyDistance:
    """Energy distance between the rows (x', y) and (x, y), where x' is drawn from the model's p(x | y).

    The rows (x, y) are those of the test split. Each of them gives one x' for its own y. Both kinds of rows have the
    same y, so the distance of their densities is 0 if and only if p(x' | y) = p(x | y) for almost every y
    (Székely & Rizzo 2013: the energy distance is 0 for equal densities alone). The distance of training rows is
    measured beside it; their y are others, so it may exceed that of a good model.
    """

    needs: ClassVar[tuple[str, ...]] = ("conditional samples", "held-out data")

    def work(self, subject: Subject) -> Iterator[Work]:
        if subject.has("chains"):
            yield drawing(subject, min(ROWS, len(subject.test)))

    def measure(self, subject: Subject) -> Iterator[Row]:
        data = subject.data
        test = data.test.some(ROWS)
        train = data.train.take(torch.randperm(len(data.train), generator=subject.rng())[:ROWS])
        drawn = subject.model.given(test.y).sample(len(test), generator=subject.rng())
        held, learned = (parts(data.domain.read(rows.x), rows.y, data.conditions) for rows in (test, train))
        scales: list[AnyDomain] = [Reals.fit(part) for part in learned]
        if data.domain.bounds is not None:
            scales[0] = data.domain  # pixels share one unit, and some hardly vary
        joint = [joined(rows, scales) for rows in (held, [drawn.cpu(), *held[1:]], learned)]
        for system, rows in (("", joint[1]), ("training rows", joint[2])):
            protocol = f"of {len(rows)} rows (x, y) to {len(test)} of the test split, real numbers standardised"
            value = energy_distance(rows, joint[0])
            yield subject.row("joint_energy_distance", value, protocol, n=len(rows), system=system)


def parts(x: Tensor, y: Condition | None, kinds: Conditions) -> list[Tensor]:
    """x `(n, *event)` and each part of y: vectors `(n, *shape)`, and classes as one-hot rows `(n, count)`."""
    pairs = zip(kinds, tensors(y), strict=True)
    return [
        x,
        *(one_hot(part.long(), kind.count).double() if isinstance(kind, Classes) else part for kind, part in pairs),
    ]


def joined(rows: Sequence[Tensor], scales: Sequence[AnyDomain]) -> Tensor:
    """Parts of n rows side by side, `(n, columns)`, each in the units of its scale."""
    return torch.cat([scale.encode(part).flatten(1) for scale, part in zip(scales, rows, strict=True)], 1)
