"""Calibration of class probabilities."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from energybased.errors import require
from energybased.evaluation.finite import require_finite
from energybased.models.model import CHUNK

BINS = 15
COLDEST, HOTTEST = 1e-3, 1e4  # range of temperatures that are searched


class Reliability(NamedTuple):
    """A reliability curve: what happens at each confidence, in equal bins of the confidence over (0, 1].

    Args:
        confidence: mean probability of the most probable class, `(bins,)`; 0 for an empty bin.
        accuracy: fraction of examples for which this class is right, `(bins,)`; 0 for an empty bin.
        counts: number of examples, `(bins,)`.
    """

    confidence: Tensor
    accuracy: Tensor
    counts: Tensor

    @property
    def error(self) -> float:
        """The expected calibration error: the mean over examples of |accuracy - confidence| of their bins."""
        gaps = (self.accuracy - self.confidence).abs() * self.counts
        return float(gaps.sum() / self.counts.sum())


def reliability(probabilities: Tensor, y: Tensor) -> Reliability:
    """The reliability curve of class probabilities, with 15 bins as in Guo et al. (2017).

    Args:
        probabilities: `(n, classes)`.
        y: class numbers, `(n,)`.

    Raises:
        UserError: if there are no examples, or not as many probabilities as labels.

    >>> round(reliability(torch.tensor([[0.8, 0.2], [0.8, 0.2]]), torch.tensor([0, 1])).error, 6)
    0.3
    """
    require(len(y) == len(probabilities) > 0, f"{len(probabilities)} rows of probabilities do not fit {len(y)} labels")
    confidence, predicted = probabilities.double().max(1)
    place = ((confidence * BINS).ceil().long() - 1).clamp(0, BINS - 1)
    count = torch.bincount(place, minlength=BINS)
    right = (predicted == y.to(predicted.device)).double()
    sums = [torch.bincount(place, values, BINS) for values in (confidence, right)]
    mean_confidence, accuracy = (total / count.clamp(min=1) for total in sums)
    return Reliability(mean_confidence, accuracy, count)


def negative_log_likelihood(logits: Tensor, y: Tensor, temperature: float = 1.0) -> float:
    """The mean of -log p(y | x) in nats, with p = softmax(logits / temperature).

    Args:
        logits: `(n, classes)`.
        y: class numbers, `(n,)`.
        temperature: positive.
    """
    log_p = (logits.double() / temperature).log_softmax(1)
    return float(-log_p.gather(1, y.to(log_p.device)[:, None]).mean())


def fit_temperature(logits: Tensor, y: Tensor) -> float:
    """The temperature, in 0.001 ... 10,000, that minimises the negative log-likelihood (Guo et al. 2017).

    It is convex in the inverse temperature, so there is one minimum if an example is classified wrongly. If none is,
    the likelihood rises as the temperature falls to 0.

    Args:
        logits: of examples that were not trained on, `(n, classes)`.
        y: their class numbers, `(n,)`.

    Raises:
        UserError: if every example is classified rightly.
    """
    wrong = bool((logits.argmax(1) != y.to(logits.device)).any())
    require(wrong, f"all {len(y)} examples are classified rightly: the likelihood has no best temperature")
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(logits, y, math.exp(log_temperature))

    bounds = math.log(COLDEST), math.log(HOTTEST)
    return math.exp(float(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4}).x))


def class_logits(model: Any, x: Tensor) -> Tensor:
    """log p(y | x) up to a constant of each row, `(n, classes)`, for x `(n, *event)`, part by part.

    Raises:
        UserError: if one is not finite.
    """
    with torch.no_grad():
        found = torch.cat([model.logits(part) for part in x.split(CHUNK)])
    require_finite("logits", found)
    return found
