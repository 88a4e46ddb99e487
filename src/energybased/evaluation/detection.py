"""Detection of out-of-distribution inputs by their scores. A high score means out of distribution."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from energybased.errors import require
from energybased.evaluation.finite import require_finite

OUT_OF_DISTRIBUTION: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "noise": lambda x, rng: torch.rand(x.shape, generator=rng),
    "inverted": lambda x, rng: 1 - x,
    "flipped": lambda x, rng: x.flip(-1),
}
KEPT = 0.95  # fraction of in-distribution inputs that the threshold of `false_positive_rate` keeps


def auroc(in_distribution: Tensor, out_of_distribution: Tensor) -> float:
    """The area under the ROC curve for scores `(n,)` and `(m,)`, in 0 ... 1.

    It is the probability that an out-of-distribution input has a higher score than an in-distribution one.

    >>> auroc(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 0.5]))
    0.75
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(*truth_and_scores(in_distribution, out_of_distribution)))


def auprc(in_distribution: Tensor, out_of_distribution: Tensor) -> float:
    """The average precision of detecting out-of-distribution inputs by scores `(n,)` and `(m,)`, in 0 ... 1.

    Random scores have m / (n + m) in expectation.

    >>> auprc(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 0.5]))
    0.8333333333333333
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(*truth_and_scores(in_distribution, out_of_distribution)))


def auprc_in(in_distribution: Tensor, out_of_distribution: Tensor) -> float:
    """The average precision of detecting in-distribution inputs by low scores, `(n,)` and `(m,)`, in 0 ... 1.

    Random scores have n / (n + m) in expectation.

    >>> auprc_in(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 0.5]))
    0.8333333333333333
    """
    return auprc(-out_of_distribution, -in_distribution)


def false_positive_rate(in_distribution: Tensor, out_of_distribution: Tensor) -> float:
    """The fraction of out-of-distribution inputs that pass as in-distribution, in 0 ... 1, by scores `(n,)` and `(m,)`.

    The threshold is the lowest that keeps 95 % of the in-distribution inputs: the FPR at 95 % TPR, with
    in-distribution inputs as positives (Liang, Li & Srikant 2018). Random scores have 0.95 in expectation.

    >>> false_positive_rate(torch.arange(100.0), torch.tensor([94.0, 95.0, 200.0, 300.0]))
    0.25
    """
    check_scores(in_distribution, out_of_distribution)
    threshold = in_distribution.kthvalue(math.ceil(KEPT * len(in_distribution))).values
    return float((out_of_distribution <= threshold).double().mean())


def check_scores(in_distribution: Tensor, out_of_distribution: Tensor) -> None:
    """Raises `UserError` unless there are scores of both kinds, `(n,)` and `(m,)`, and all are finite."""
    sides = in_distribution, out_of_distribution
    require(min(map(len, sides)) > 0, "detection needs scores of both kinds")
    require_finite("scores", *sides)


def truth_and_scores(in_distribution: Tensor, out_of_distribution: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
    """Which inputs are out of distribution, 0 or 1, and all scores, `(n + m,)`, for scores `(n,)` and `(m,)`."""
    check_scores(in_distribution, out_of_distribution)
    truth = torch.cat([torch.zeros(len(in_distribution)), torch.ones(len(out_of_distribution))])
    return truth.numpy(), torch.cat([in_distribution, out_of_distribution]).double().numpy()


STATISTICS: dict[str, Callable[[Tensor, Tensor], float]] = {  # by the beginning of a row's metric
    "auroc": auroc,
    "auprc": auprc,
    "auprc_in": auprc_in,
    "fpr95": false_positive_rate,
}


def base_rate(statistic: str, inside: int, outside: int) -> str:
    """Words on the share of out-of-distribution inputs, and on the value of the statistic for random scores."""
    share = outside / (inside + outside)
    chance = {"auroc": 0.5, "auprc": share, "auprc_in": 1 - share, "fpr95": KEPT}[statistic]
    return f"prevalence {share:.3f}, by chance {chance:.3f}"


def out_of_distribution_inputs(x: Tensor) -> dict[str, Tensor]:
    """Changed copies of pictures `(n, channels, height, width)`, n of each kind, by kind."""
    rng = torch.Generator().manual_seed(0)
    return {name: change(x, rng) for name, change in OUT_OF_DISTRIBUTION.items()}
