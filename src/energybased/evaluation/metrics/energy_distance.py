"""The energy distance of samples to held-out data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from energybased.energies import Gaussian, GaussianMixture
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject

ROWS = 1000  # of samples, and of the test split
MOST = 100_000  # most training rows that the baselines are fitted to
RIDGE = 1e-6  # added to the variances of the baselines
COMPONENTS, PER_COMPONENT = 30, 10  # most Gaussians of the mixture, and fewest rows per column for each of them


@dataclass(frozen=True)
class EnergyDistance:
    """Energy distance 2 E|x - y| - E|x - x'| - E|y - y'| to the test split (Székely & Rizzo 2013).

    It is measured for samples, for a Gaussian and a mixture of up to 30 Gaussians fitted to the training split, and for
    training rows. The columns are standardised.
    """

    needs: ClassVar[tuple[str, ...]] = ("samples", "held-out data", "real numbers")

    def measure(self, subject: Subject) -> Iterator[Row]:
        encode = subject.data.domain.encode
        test = encode(subject.test[:ROWS]).flatten(1)
        train = encode(subject.train(MOST)).flatten(1)
        covariance = torch.cov(train.T.double()) + RIDGE * torch.eye(train.shape[1], dtype=torch.float64)
        gaussian = Gaussian(train.double().mean(0), torch.atleast_2d(covariance))
        rows = train[torch.randperm(len(train), generator=subject.rng())[:ROWS]]
        drawn = subject.model.sample(ROWS, generator=subject.rng())
        compared = {
            "": encode(drawn).flatten(1),
            "Gaussian": gaussian.sample(ROWS, subject.rng()),
            "training rows": rows,
        }
        components = min(COMPONENTS, len(train) // (PER_COMPONENT * train.shape[1]))
        if components > 1:
            mixture = GaussianMixture.fit(train.double(), components, subject.rng(), RIDGE)
            compared["mixture of Gaussians"] = mixture.sample(ROWS, subject.rng())
        for system, x in compared.items():
            protocol = f"of {len(x)} rows to {len(test)} of the test split, columns standardised"
            yield subject.row("energy_distance", energy_distance(x, test), protocol, n=len(x), system=system)


def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 mean|x_i - y_j| - mean|x_i - x_j| - mean|y_i - y_j| over all pairs of rows of x `(n, dim)` and y `(m, dim)`.

    It is at least 0, and positive for two different finite samples of the same density.
    """
    x, y = x.double().cpu(), y.double().cpu()
    return float(2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean())
