"""A small convolutional network with one output."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Convolutional(nn.Module):
    """Three 3x3 convolutions with SiLU, two of them halving the image; summed over space, then linear.

    Args:
        channels: channels of the images `(batch, channels, height, width)`.
        width: channels of the first layer; the next two have twice as many.
        classes: number of classes, 0 for an unconditional network; the class joins as constant planes.
    """

    one_hot: Tensor

    def __init__(self, channels: int, width: int = 32, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("one_hot", torch.eye(classes), persistent=False)
        self.features = nn.Sequential(
            nn.Conv2d(channels + classes, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1),
            nn.SiLU(),
        )
        self.head = nn.Linear(2 * width, 1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x `(batch, channels, height, width)`, y `(batch,)` of class numbers -> `(batch,)`."""
        if y is not None:
            planes = self.one_hot[y].to(x.dtype)[:, :, None, None]
            x = torch.cat([x, planes.expand(-1, -1, *x.shape[2:])], dim=1)
        return self.head(self.features(x).sum((2, 3))).squeeze(1)
