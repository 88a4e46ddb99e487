"""A judge: a small classifier of our own, in whose features pictures are compared where Inception does not fit."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from energybased.data import DataSet
from energybased.errors import UserError, require
from energybased.evaluation.frechet import frechet_distance

STEPS, BATCH, NOISE = 600, 128, 0.05


class Judge(nn.Module):
    """Three convolutions, a layer of 64 features, and classes; reads pixels clipped to [0, 1]."""

    def __init__(self, event: tuple[int, ...], classes: int) -> None:
        super().__init__()
        channels, height, width = event
        self.body = nn.Sequential(
            nn.Conv2d(channels, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * ((height + 1) // 2) * ((width + 1) // 2), 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(batch, classes)`."""
        logits: Tensor = self.head(self.body(x))
        return logits

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """`(n, 64)`, of pictures `(n, channels, height, width)`."""
        features: Tensor = self.body(x.clamp(0, 1))
        return features

    @torch.no_grad()
    def probabilities(self, x: Tensor) -> Tensor:
        """`(n, classes)`."""
        return self(x.clamp(0, 1)).softmax(1)

    def distance(self, samples: Tensor, data: Tensor) -> float:
        """Fréchet distance of samples to data in the judge's features."""
        return frechet_distance(self.features(samples), self.features(data))


def train_judge(data: DataSet) -> Judge:
    """The judge of a labelled set of pictures, always of seed 0, so that distances compare across runs.

    It is trained on the training split alone, with a little noise on the pixels, and on one thread: sums over more
    would change its last bits, and with them every distance.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _train(data)
    finally:
        torch.set_num_threads(threads)


def _train(data: DataSet) -> Judge:
    x, y = data.train.pixels(), data.train.y
    if y is None:
        raise UserError(f"a judge needs labels, and {data.name} has none")
    require(data.is_image, f"a judge looks at pictures, and {data.name} holds {data.event}")
    rng = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        judge = Judge(data.event, int(y.max()) + 1)
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=1e-2)
    for _ in range(STEPS):
        rows = torch.randint(len(x), (BATCH,), generator=rng)
        batch = x[rows] + NOISE * torch.randn((BATCH, *data.event), generator=rng)
        loss = F.cross_entropy(judge(batch), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return judge.eval()
