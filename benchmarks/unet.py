"""A small U-Net that was trained to remove salt and pepper: a rival of restoring."""

from __future__ import annotations

from itertools import pairwise

import torch
from learner import Learner, train
from torch import Tensor, nn
from torch.nn import functional as F

from energybased.data import DataSet
from energybased.evaluation.metrics.denoising import Denoising
from energybased.evaluation.restoration import psnr
from energybased.models.degradation import SaltPepper

WIDTHS = (16, 32, 64, 288)  # 1.3 million parameters, as the network of `mnist-conditional`
RATE, BATCH, PART = 2e-3, 16, 200  # pictures in a part of a computation without an update
DEGRADATION = SaltPepper(Denoising().share)


def twice(a: int, b: int) -> nn.Sequential:
    """Two 3x3 convolutions."""
    layers = [nn.Conv2d(a, b, 3, padding=1), nn.SiLU(), nn.Conv2d(b, b, 3, padding=1), nn.SiLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """A U-Net (Ronneberger et al. 2015) from degraded pictures to restored ones, with these channels at each scale."""

    def __init__(self, channels: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.down = nn.ModuleList(twice(a, b) for a, b in pairwise((channels, *widths)))
        self.up = nn.ModuleList(twice(a + b, a) for a, b in pairwise(widths))
        self.last = nn.Conv2d(widths[0], channels, 1)

    def forward(self, y: Tensor) -> Tensor:
        """Restored pictures of degraded ones y `(n, channels, height, width)`. Pixels that tell what they were stay."""
        x, skips = y - 0.5, []
        for i, stage in enumerate(self.down):
            x = stage(F.max_pool2d(x, 2, ceil_mode=True) if i else x)
            skips.append(x)
        for stage, skip in zip(reversed(self.up), reversed(skips[:-1]), strict=True):
            x = stage(torch.cat([F.interpolate(x, skip.shape[2:]), skip], dim=1))
        return DEGRADATION.merge(y, self.last(x))

    @torch.no_grad()
    def restored(self, y: Tensor) -> Tensor:
        """Restored pictures in [0, 1], part by part."""
        return torch.cat([self(part) for part in y.split(PART)]).clamp(0, 1)


def build(data: DataSet) -> UNet:
    return UNet(data.event[0])


def fit(network: UNet, data: DataSet, minutes: float, seed: int) -> str:
    """The mean PSNR, which is what is measured, is raised. Every batch is degraded anew."""
    learner, rng = Learner(network, RATE), torch.Generator().manual_seed(seed)
    truth = data.values(data.validation, slice(1000))
    held = DEGRADATION.apply(truth, torch.Generator().manual_seed(seed))

    def update(batch, progress: float) -> None:
        x = data.domain.read(batch.x)  # without dequantisation: black is 0, as pepper
        learner.step(-psnr(network(DEGRADATION.apply(x, rng)), x).mean(), progress)

    def fault(net) -> float:
        return -float(psnr(net.restored(held), truth).mean())

    return train(learner, update, fault, data, minutes, seed, BATCH)
