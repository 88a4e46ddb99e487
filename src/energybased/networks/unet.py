"""A U-Net whose inputs are a picture, the level of its noise, and perhaps its class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from energybased.errors import require
from energybased.networks.noise_level import NoiseLevel

EMBEDDING = 128  # entries of the embedded noise level


class Block(nn.Module):
    """skip(x) + conv(act((1 + a) conv(act(x)) + b)), where the gain a and the bias b depend on the noise level.

    The second convolution begins at zero, so that a block begins as its skip connection. There is no normalisation: its
    second derivatives are slow.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.level = nn.Linear(EMBEDDING, 2 * width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.skip = nn.Conv2d(channels, width, 1) if channels != width else nn.Identity()
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        gain, bias = self.level(level)[:, :, None, None].chunk(2, 1)
        h = F.silu(self.first(F.silu(x)) * (1 + gain) + bias)
        out: Tensor = self.skip(x) + self.second(h)
        return out


class UNet(nn.Module):
    """Maps pictures, log noise levels and perhaps classes to fields of the shape of the picture, and to numbers.

    Squares of `patch` x `patch` pixels become channels first (space to depth), so that most of the time is spent on few
    positions with many channels. The last layers begin at zero.

    Args:
        event: `(channels, height, width)` of the pictures.
        widths: channels of each resolution, from the highest; each next one has half of the height and the width.
        blocks: number of residual blocks in each, on the way down and on the way up.
        patch: side of the squares of pixels.
        outputs: number of fields.
        numbers: number of numbers.
        classes: number of classes that the network sees; their embedding, zero at first, is added to that of the level.

    Raises:
        UserError: if the event is not a picture whose sides the patches and the resolutions divide.
    """

    def __init__(
        self,
        event: Sequence[int],
        widths: Sequence[int] = (64, 128),
        blocks: int = 2,
        patch: int = 2,
        outputs: int = 1,
        numbers: int = 1,
        classes: int = 0,
    ) -> None:
        super().__init__()
        require(len(event) == 3, f"a U-Net reads pictures (channels, height, width), got {tuple(event)}")
        unit = patch * 2 ** (len(widths) - 1)
        fits = event[1] % unit == 0 and event[2] % unit == 0
        require(
            fits, f"the sides of pictures {tuple(event[1:])} must be multiples of {unit}, patch x 2^(resolutions - 1)"
        )
        self.patch, self.outputs, entries = patch, outputs, event[0] * patch**2
        self.level = NoiseLevel(EMBEDDING, classes)
        self.stem = nn.Conv2d(entries, widths[0], 3, padding=1)
        self.down, self.up, skips, channels = nn.ModuleList(), nn.ModuleList(), list[int](), widths[0]
        for width in widths:
            stage = nn.ModuleList()
            for _ in range(blocks):
                stage.append(Block(channels, width))
                channels = width
                skips.append(width)
            self.down.append(stage)
        self.middle = Block(channels, channels)
        self.number = nn.Linear(channels, numbers)
        for width in reversed(widths):
            stage = nn.ModuleList()
            for _ in range(blocks):
                stage.append(Block(channels + skips.pop(), width))
                channels = width
            self.up.append(stage)
        self.field = nn.Conv2d(channels, outputs * entries, 1)
        for block in (m for m in self.modules() if isinstance(m, Block)):
            nn.init.kaiming_normal_(block.first.weight, nonlinearity="relu")
        nn.init.kaiming_normal_(self.stem.weight, nonlinearity="linear")
        for last in (self.number, self.field):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        for convolution in (m for m in self.modules() if isinstance(m, nn.Conv2d)):  # twice as fast as the other order
            convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, u: Tensor, log_sigma: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """u `(batch, *event)`, log noise levels and classes `(batch,)` -> fields `(batch, outputs, *event)`, numbers.

        The numbers `(batch, numbers)` are linear in the mean over space of the features at the lowest resolution.
        """
        level = self.level(log_sigma, y)
        x = self.stem(F.pixel_unshuffle(u, self.patch).contiguous(memory_format=torch.channels_last))
        skips = []
        for i, stage in enumerate(self.down):
            x = F.avg_pool2d(x, 2) if i else x
            for block in stage:  # type: ignore[attr-defined]
                x = block(x, level)
                skips.append(x)
        x = self.middle(x, level)
        numbers: Tensor = self.number(F.silu(x).mean((2, 3)))
        for i, stage in enumerate(self.up):
            x = F.interpolate(x, scale_factor=2) if i else x
            for block in stage:  # type: ignore[attr-defined]
                x = block(torch.cat([x, skips.pop()], 1), level)
        fields = self.field(F.silu(x)).unflatten(1, (self.outputs, -1)).flatten(0, 1)
        return F.pixel_shuffle(fields, self.patch).unflatten(0, (-1, self.outputs)), numbers
