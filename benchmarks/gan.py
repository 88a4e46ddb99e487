"""A small conditional GAN: a rival that draws pictures and has no density.

The discriminator is spectrally normalised and projects on the class (Miyato et al. 2018, Miyato & Koyama 2018); the
losses are hinges.
"""

from __future__ import annotations

import torch
from learner import Learner, pictures, train
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from energybased.data import DataSet
from energybased.evaluation.frechet import frechet_distance
from energybased.evaluation.moments import Moments
from energybased.networks.generator import Squash
from energybased.networks.spectral import normalised, power_iteration
from energybased.runs.judge import find_judge

LATENT, WIDTH, BATCH = 64, 32, 32
RATES, BETA1, DECAY = (1e-3, 1e-3), 0.0, 0.995  # of the generator and of the discriminator
DRAWN = 1000  # pictures whose distance to the validation split chooses the weights


class Drawer(nn.Module):
    """Pictures of 28 x 28 from latent vectors and classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.body = nn.Sequential(
            nn.Linear(LATENT + classes, 4 * WIDTH * 49),
            nn.Unflatten(1, (4 * WIDTH, 7, 7)),
            nn.BatchNorm2d(4 * WIDTH),
            nn.ReLU(),
            nn.ConvTranspose2d(4 * WIDTH, 2 * WIDTH, 4, 2, 1),
            nn.BatchNorm2d(2 * WIDTH),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(),
            nn.Conv2d(WIDTH, 1, 3, padding=1),
            Squash(),
        )

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Pictures `(n, 1, 28, 28)` in [0, 1] from z `(n, 64)` and classes y `(n,)`."""
        made: Tensor = self.body(torch.cat([z, F.one_hot(y, self.classes)], dim=1))
        return made

    def draw(self, y: Tensor, rng: Generator) -> Tensor:
        return self(torch.randn(len(y), LATENT, generator=rng), y)

    @torch.no_grad()
    def many(self, y: Tensor, rng: Generator) -> Tensor:
        """Pictures of classes y `(n,)`, 500 at a time."""
        return torch.cat([self.draw(part, rng) for part in y.split(500)])


class Critic(nn.Module):
    """Scores of pictures under classes; high means data."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b, kernel, stride in ((1, WIDTH, 4, 2), (WIDTH, 2 * WIDTH, 4, 2), (2 * WIDTH, 4 * WIDTH, 3, 1)):
            layers += [normalised(nn.Conv2d(a, b, kernel, stride, 1)), nn.LeakyReLU(0.1)]
        self.body, self.last = nn.Sequential(*layers), normalised(nn.Linear(4 * WIDTH, 1))
        self.label = normalised(nn.Embedding(classes, 4 * WIDTH))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores `(n,)` of pictures `(n, 1, 28, 28)` under classes y `(n,)`."""
        features = self.body(x).sum((2, 3))
        scores: Tensor = self.last(features).squeeze(1) + (self.label(y) * features).sum(1)
        return scores


def build(data: DataSet) -> Drawer:
    return Drawer(data.classes)


def fit(network: Drawer, data: DataSet, minutes: float, seed: int) -> str:
    """Updates of the discriminator and of the generator in turn, on pictures without noise."""
    critic, rng = Critic(data.classes), torch.Generator().manual_seed(seed)
    drawing, judging = Learner(network, RATES[0], DECAY, BETA1), Learner(critic, RATES[1], DECAY, BETA1)
    judge = find_judge(data)
    assert judge is not None
    held = Moments.of(judge.features(data.values(data.validation)))

    def update(batch, progress: float) -> None:
        x, y = pictures(batch, rng)
        power_iteration(critic)
        false = network.draw(y, rng)
        judging.step(F.relu(1 - critic(x, y)).mean() + F.relu(1 + critic(false.detach(), y)).mean(), progress)
        drawing.step(-critic(false, y).mean(), progress)

    def fault(net) -> float:
        y = torch.arange(DRAWN) % data.classes
        return frechet_distance(judge.features(net.many(y, torch.Generator().manual_seed(seed))), held)

    return train(drawing, update, fault, data, minutes, seed, BATCH)
