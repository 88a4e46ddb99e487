"""Detection of out-of-distribution inputs by their scores."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

OUT_OF_DISTRIBUTION: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "noise": lambda x, rng: torch.rand(x.shape, generator=rng),
    "inverted": lambda x, rng: 1 - x,
    "flipped": lambda x, rng: x.flip(-1),
}


def auroc(in_distribution: Tensor, out_of_distribution: Tensor) -> float:
    """The area under the ROC curve for scores `(n,)` and `(m,)`, in 0 ... 1.

    It is the probability that an out-of-distribution input has a higher score than an in-distribution one.

    >>> auroc(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 0.5]))
    0.75
    """
    from sklearn.metrics import roc_auc_score

    truth = torch.cat([torch.zeros(len(in_distribution)), torch.ones(len(out_of_distribution))])
    return float(roc_auc_score(truth.numpy(), torch.cat([in_distribution, out_of_distribution]).double().numpy()))


def auprc(in_distribution: Tensor, out_of_distribution: Tensor) -> float:
    """The average precision of detecting out-of-distribution inputs by scores `(n,)` and `(m,)`, in 0 ... 1.

    Random scores have m / (n + m) in expectation.

    >>> auprc(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 0.5]))
    0.8333333333333333
    """
    from sklearn.metrics import average_precision_score

    truth = torch.cat([torch.zeros(len(in_distribution)), torch.ones(len(out_of_distribution))])
    return float(
        average_precision_score(truth.numpy(), torch.cat([in_distribution, out_of_distribution]).double().numpy())
    )


def out_of_distribution_inputs(x: Tensor) -> dict[str, Tensor]:
    """Changed copies of pictures `(n, channels, height, width)`, n of each kind, by kind."""
    rng = torch.Generator().manual_seed(0)
    return {name: change(x, rng) for name, change in OUT_OF_DISTRIBUTION.items()}
