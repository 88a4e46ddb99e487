"""Network settings of one's own: a Gaussian energy whose mean is linear in a real vector y, and a metric of it."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from energybased.evaluation import METRICS

SAMPLES = 500  # for each of the conditions that are measured
CONDITIONS = 4


class LinearMeanEnergy(nn.Module):
    """E(x, y) = exp(-2 a) |x - W y - b|^2 / 2 for x `(batch, dim)` and y `(batch, width)`."""

    def __init__(self, width, dim):
        super().__init__()
        self.mean = nn.Linear(width, dim)
        self.log_scale = nn.Parameter(torch.zeros(()))

    def forward(self, x, y):
        return (-2 * self.log_scale).exp() * (x - self.mean(y)).square().sum(1) / 2


@dataclass(frozen=True)
class LinearMean:
    """Settings of `LinearMeanEnergy`."""

    def build(self, event, conditions=()):
        return LinearMeanEnergy(conditions[0].width, math.prod(event))


class ShiftedMeanEnergy(LinearMeanEnergy):
    """The same, where the mean of a class is shifted as well: y is the class `(batch,)` and the vector."""

    def __init__(self, classes, width, dim):
        super().__init__(width, dim)
        self.shift = nn.Embedding(classes, dim)

    def forward(self, x, y):
        return super().forward(x - self.shift(y[0]), y[1])


@dataclass(frozen=True)
class ShiftedMean:
    """Settings of `ShiftedMeanEnergy`."""

    def build(self, event, conditions=()):
        return ShiftedMeanEnergy(conditions[0].width, conditions[1].width, math.prod(event))


@dataclass(frozen=True)
class ConditionalMean:
    """Distance from x to the mean of samples given its y, in the test split: root mean square, in the user's units."""

    needs: ClassVar[tuple] = ("held-out data",)

    def measure(self, subject):
        rows = subject.data.test.take(slice(CONDITIONS))
        rng = subject.rng()
        given = zip(*rows.y, strict=True) if isinstance(rows.y, tuple) else rows.y
        means = [subject.model.given(y).sample(SAMPLES, generator=rng).mean(0) for y in given]
        value = (torch.stack(means) - rows.x).square().mean().sqrt()
        yield subject.row("conditional_mean", value, f"mean of {SAMPLES} samples for each y", n=CONDITIONS)


METRICS["conditional_mean"] = ConditionalMean()
