"""Telling strange inputs from ordinary ones by their energy."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

OUT_OF_DISTRIBUTION: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "noise": lambda x, rng: torch.rand(x.shape, generator=rng),
    "inverted": lambda x, rng: 1 - x,
    "flipped": lambda x, rng: x.flip(-1),
}


def auroc(ordinary: Tensor, strange: Tensor) -> float:
    """Probability that a strange input has the higher score than an ordinary one; scores `(n,)` and `(m,)`.

    >>> auroc(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 0.5]))
    0.75
    """
    from sklearn.metrics import roc_auc_score

    truth = torch.cat([torch.zeros(len(ordinary)), torch.ones(len(strange))])
    return float(roc_auc_score(truth.numpy(), torch.cat([ordinary, strange]).double().numpy()))


def auprc(ordinary: Tensor, strange: Tensor) -> float:
    """Average precision at which strange inputs are found by their scores, `(n,)` and `(m,)`; by chance m / (n + m).

    >>> auprc(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 0.5]))
    0.8333333333333333
    """
    from sklearn.metrics import average_precision_score

    truth = torch.cat([torch.zeros(len(ordinary)), torch.ones(len(strange))])
    return float(average_precision_score(truth.numpy(), torch.cat([ordinary, strange]).double().numpy()))


def out_of_distribution_inputs(x: Tensor) -> dict[str, Tensor]:
    """Strange versions of pictures `(n, channels, height, width)`, as many as there are pictures."""
    rng = torch.Generator().manual_seed(0)
    return {name: change(x, rng) for name, change in OUT_OF_DISTRIBUTION.items()}
