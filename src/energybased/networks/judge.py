"""A small classifier. Its features replace those of Inception in Fréchet distances of small pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from energybased.errors import require

CHUNK = 1000  # pictures per forward pass
FEATURES = 64  # width of the layer in which distances are computed


class JudgeNetwork(nn.Module):
    """3x3 convolutions, a layer of 64 features, and a linear layer to class logits.

    Args:
        event: `(channels, height, width)`.
        classes: number of classes.
        convolutions: output channels and stride of each convolution.
        norm: put a batch norm after each convolution.
        pool: reduce the size by max pooling after a convolution instead of by its stride.

    Raises:
        UserError: if the event is not a picture.
    """

    def __init__(
        self,
        event: Sequence[int],
        classes: int,
        convolutions: Sequence[tuple[int, int]] = ((32, 1), (64, 2), (64, 1)),
        norm: bool = False,
        pool: bool = False,
    ) -> None:
        super().__init__()
        require(len(event) == 3, f"a judge reads pictures (channels, height, width), got {tuple(event)}")
        channels, height, width = event
        layers: list[nn.Module] = []
        for wide, stride in convolutions:
            layers.append(nn.Conv2d(channels, wide, 3, 1 if pool else stride, padding=1, bias=not norm))
            layers += [nn.MaxPool2d(stride, ceil_mode=True)] if pool and stride > 1 else []
            layers += [nn.BatchNorm2d(wide), nn.ReLU()] if norm else [nn.ReLU()]
            channels, height, width = wide, (height - 1) // stride + 1, (width - 1) // stride + 1
        flat = channels * height * width
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, FEATURES), nn.ReLU())
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(batch, classes)` of pictures `(batch, channels, height, width)`."""
        logits: Tensor = self.head(self.body(x))
        return logits

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """Features `(n, 64)` of pictures `(n, channels, height, width)`, clipped to [0, 1]."""
        return torch.cat([self.body(part.clamp(0, 1)) for part in x.split(CHUNK)])

    @torch.no_grad()
    def probabilities(self, x: Tensor) -> Tensor:
        """Probabilities `(n, classes)` of the classes of pictures `(n, channels, height, width)`, clipped to [0, 1]."""
        return self.classify(self.features(x))

    @torch.no_grad()
    def classify(self, features: Tensor) -> Tensor:
        """Probabilities `(n, classes)` of the classes for features `(n, 64)`."""
        return self.head(features.to(self.head.weight)).softmax(1)
