"""A convolutional classifier, trained plainly or on attacked pictures: rivals under attack."""

from __future__ import annotations

import math

import torch
from learner import Learner, train
from torch import Tensor, nn
from torch.nn import functional as F

from energybased.data import DataSet
from energybased.evaluation.metrics.robustness import right
from energybased.tasks.attack import PGD, Ball

EPSILON = 0.3  # of the attacks in training, largest change of a pixel
RISE = 0.3  # fraction of the time in which epsilon rises from zero
STEPS, LOOK_STEPS, LOOKED = 7, 20, 500  # of PGD in training; of PGD on the validation split; pictures of it
RATE, BATCH = 1e-3, 100


class Classifier(nn.Module):
    """The network of Wong & Kolter 2018 with a wider hidden layer: 1.3 million parameters, as `mnist-conditional`."""

    def __init__(self, event: tuple[int, ...], classes: int) -> None:
        super().__init__()
        channels, height, width = event
        convolutions = nn.Conv2d(channels, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU()
        flat = 32 * math.prod(side // 2 // 2 for side in (height, width))
        dense = nn.Linear(flat, 800), nn.ReLU(), nn.Linear(800, classes)
        self.body = nn.Sequential(*convolutions, nn.Flatten(), *dense)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(n, classes)` of pictures `(n, *event)` in [0, 1]."""
        logits: Tensor = self.body(x)
        return logits


def build(data: DataSet) -> Classifier:
    return Classifier(data.event, data.classes)


def fit(network: Classifier, data: DataSet, minutes: float, seed: int) -> str:
    """Cross-entropy of the pictures as they are."""
    learner = Learner(network, RATE)
    held = data.validation.take()
    x, y = data.values(data.validation), held.y
    assert isinstance(y, Tensor)

    def update(batch, progress: float) -> None:
        learner.step(F.cross_entropy(network(data.domain.read(batch.x)), batch.y), progress)

    return train(learner, update, lambda net: 1 - float(right(net, x, y).float().mean()), data, minutes, seed, BATCH)


def fit_attacked(network: Classifier, data: DataSet, minutes: float, seed: int) -> str:
    """Cross-entropy of pictures under PGD (Madry et al. 2018)."""
    learner, rng = Learner(network, RATE), torch.Generator().manual_seed(seed)
    held, look = data.validation.take(slice(LOOKED)), PGD(Ball("linf", EPSILON), LOOK_STEPS, 1)
    clean, labels = data.values(data.validation, slice(LOOKED)), held.y
    assert isinstance(labels, Tensor)

    def update(batch, progress: float) -> None:
        ball = Ball("linf", EPSILON * min(1.0, progress / RISE + 0.01))
        x = PGD(ball, STEPS, 1)(network, data.domain.read(batch.x), batch.y, rng)
        learner.step(F.cross_entropy(network(x), batch.y), progress)

    def fault(net) -> float:
        changed = look(net, clean, labels, torch.Generator().manual_seed(seed))
        return 1 - float(right(net, changed, labels).float().mean())

    return train(learner, update, fault, data, minutes, seed, BATCH)
