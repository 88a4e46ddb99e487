"""Whether samples are copies of training examples, by the nearest ones."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from energybased.evaluation.detection import auroc


def nearest(x: Tensor, parts: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """The Euclidean distance of each row of x `(n, d)` to its nearest row of all parts, and the number of that row.

    Args:
        x: rows, `(n, d)`.
        parts: other rows, part by part, each `(m, d)`. Rows are numbered through all parts.

    Returns:
        Distances `(n,)` and numbers `(n,)`.
    """
    least, number, seen = torch.full((len(x),), torch.inf), torch.zeros(len(x), dtype=torch.int64), 0
    for part in parts:
        distance, row = torch.cdist(x.float(), part.float()).min(1)
        nearer = distance < least
        least[nearer], number[nearer] = distance[nearer], seen + row[nearer]
        seen += len(part)
    return least, number


def copying(samples: Tensor, test: Tensor) -> float:
    """How often a sample is nearer to the training data than a test example is (Meehan et al. 2020), in 0 ... 1.

    It is the area under the ROC curve of both distances: 1/2 if samples are as far from the training data as other
    data of the same distribution, more if the model copies its training data, less if it misses the distribution.

    Args:
        samples: distances of samples to their nearest training examples, `(n,)`.
        test: those of test examples, `(m,)`.
    """
    return auroc(samples, test)
