"""Samples of a model over real numbers and of baselines, in standardised columns."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from energybased.energies import Gaussian, GaussianMixture
from energybased.evaluation.subject import Subject

ROWS = 1000  # of samples, and of the test split
MOST = 100_000  # most training rows that the baselines are fitted to
RIDGE = 1e-6  # added to the variances of the baselines
COMPONENTS, PER_COMPONENT = 30, 10  # most Gaussians of the mixture, and fewest rows per column for each of them


class Standardised(NamedTuple):
    """Samples, and the rows of the test split that they are compared with, in standardised columns.

    Args:
        samples: of the model (""), of a Gaussian and of a mixture of up to 30 Gaussians fitted to the training split,
            and training rows, `(n, columns)`, by the name of the system.
        test: rows of the test split, `(m, columns)`.
    """

    samples: dict[str, Tensor]
    test: Tensor


def standardised(subject: Subject) -> Standardised:
    """Samples of the subject's model and of baselines. They are drawn once per subject."""
    return subject.once("standardised", lambda: drawn(subject))


def drawn(subject: Subject) -> Standardised:
    """Draws up to 1,000 rows of each system."""
    encode = subject.data.domain.encode
    test = encode(subject.test[:ROWS]).flatten(1)
    train = encode(subject.train(MOST)).flatten(1)
    covariance = torch.cov(train.T.double()) + RIDGE * torch.eye(train.shape[1], dtype=torch.float64)
    gaussian = Gaussian(train.double().mean(0), torch.atleast_2d(covariance))
    rows = train[torch.randperm(len(train), generator=subject.rng())[:ROWS]]
    samples = {
        "": encode(subject.model.sample(ROWS, generator=subject.rng())).flatten(1),
        "Gaussian": gaussian.sample(ROWS, subject.rng()),
        "training rows": rows,
    }
    components = min(COMPONENTS, len(train) // (PER_COMPONENT * train.shape[1]))
    if components > 1:
        mixture = GaussianMixture.fit(train.double(), components, subject.rng(), RIDGE)
        samples["mixture of Gaussians"] = mixture.sample(ROWS, subject.rng())
    return Standardised(samples, test)
