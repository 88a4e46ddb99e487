"""The energy distance of samples to held-out data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from energybased.evaluation.row import Row
from energybased.evaluation.standardised import ROWS, standardised
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work, drawing


@dataclass(frozen=True)
class EnergyDistance:
    """Energy distance 2 E|x - y| - E|x - x'| - E|y - y'| to the test split (Székely & Rizzo 2013).

    It is measured for samples, for a Gaussian and a mixture of up to 30 Gaussians fitted to the training split, and for
    training rows. The columns are standardised.
    """

    needs: ClassVar[tuple[str, ...]] = ("samples", "held-out data", "real numbers")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield drawing(subject, ROWS, shared=True)

    def measure(self, subject: Subject) -> Iterator[Row]:
        samples, test = standardised(subject)
        for system, x in samples.items():
            protocol = f"of {len(x)} rows to {len(test)} of the test split, columns standardised"
            yield subject.row("energy_distance", energy_distance(x, test), protocol, n=len(x), system=system)


def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 mean|x_i - y_j| - mean|x_i - x_j| - mean|y_i - y_j| over all pairs of rows of x `(n, dim)` and y `(m, dim)`.

    It is at least 0, and positive for two different finite samples of the same density.
    """
    x, y = x.double().cpu(), y.double().cpu()
    return float(2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean())
