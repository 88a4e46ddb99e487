"""The Inception score."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from energybased.evaluation.enough import require_enough
from energybased.evaluation.finite import require_finite
from energybased.evaluation.jackknife import GROUPS, WithError, groups, jackknife_error


def inception_score(probabilities: Tensor) -> WithError:
    """exp(mean KL(p(y | x) || p(y))) of class probabilities, where p(y) is their mean (Salimans et al. 2016).

    It lies between 1 and the number of classes. The standard error is that of leaving out each of ten groups of rows
    in turn. The value is that of all rows at once; it grows a little with their number.

    Args:
        probabilities: p(y | x) for each picture, `(n, classes)`.

    Raises:
        UserError: if there are fewer than 20 rows, or probabilities are not finite.

    >>> round(inception_score(torch.eye(4).repeat(10, 1)).value, 6)
    4.0
    """
    require_enough("an Inception score", 2 * GROUPS, len(probabilities))
    require_finite("probabilities", probabilities)
    p = probabilities.double()

    def score(rows: Tensor) -> float:
        return math.exp(torch.special.entr(rows.mean(0)).sum() - torch.special.entr(rows).sum(1).mean())

    left_out = [score(torch.cat([p[: part.start], p[part.stop :]])) for part in groups(len(p))]
    return WithError(score(p), jackknife_error(left_out))
