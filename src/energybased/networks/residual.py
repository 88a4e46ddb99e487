"""The networks over images of Du & Mordatch 2019, as one family with settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from energybased.errors import require
from energybased.networks.spectral import normalised

NEAR_ZERO = 1e-10  # initial scale of a block's second convolution, so that a block begins as its skip connection
SLOPE = 0.2


@dataclass(frozen=True)
class Stage:
    """One stage of the network.

    Args:
        width: number of output channels.
        halve: halve height and width.
        plain: one 4x4 convolution instead of a residual block of two 3x3 ones.
    """

    width: int
    halve: bool = False
    plain: bool = False


def groups(*widths: int, blocks: int) -> tuple[Stage, ...]:
    """`blocks` residual blocks of each width. The first block of each width halves the image."""
    return tuple(Stage(width, halve=i == 0) for width in widths for i in range(blocks))


class Conv(nn.Module):
    """A convolution with a bias before it and a gain after it: gain(y) * conv(x + before(y)).

    Without classes, the bias and the gain are one vector each. With classes there is one of each per class, and the
    gain has an additional part that all classes share.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        kernel: int = 3,
        stride: int = 1,
        classes: int = 0,
        before: bool = False,
        gain: bool = False,
        near_zero: bool = False,
        spectral: bool = True,
    ) -> None:
        super().__init__()
        self.padding = (kernel - 1) // 2, kernel // 2  # as "same" of TensorFlow on even images
        self.conv = nn.Conv2d(channels, width, kernel, stride, bias=False)
        if spectral or near_zero:
            nn.init.normal_(self.conv.weight, std=NEAR_ZERO if near_zero else 1.0)
        if spectral:
            normalised(self.conv, capped=near_zero)
        rows = max(classes, 1)
        self.before = nn.Parameter(torch.zeros(rows, channels)) if before else None
        self.gain = nn.Parameter(torch.ones(rows, width)) if gain else None
        self.shared = nn.Parameter(torch.zeros(width)) if gain and classes else None

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        if self.before is not None:
            x = x + self._of(self.before, y)
        low, high = self.padding
        x = F.pad(x, (low, high, low, high)) if low != high else x
        x = F.conv2d(x, self.conv.weight, None, self.conv.stride, low if low == high else 0)
        if self.gain is not None:
            gain = self._of(self.gain, y)
            x = x * (gain if self.shared is None else gain + self.shared[:, None, None])
        return x

    @staticmethod
    def _of(table: Tensor, y: Tensor | None) -> Tensor:
        return (table if y is None else table[y])[:, :, None, None]


class Block(nn.Module):
    """act(pool(skip(x) + conv2(act(dropout(conv1(x)))))), as in the code of Du & Mordatch 2019."""

    def __init__(
        self, channels: int, stage: Stage, classes: int, act: nn.Module, dropout: float, spectral: bool = True
    ) -> None:
        super().__init__()
        width = stage.width
        self.first = Conv(channels, width, classes=classes, before=True, spectral=spectral)
        self.second = Conv(width, width, classes=classes, before=True, gain=True, near_zero=True, spectral=spectral)
        self.skip = Conv(channels, width, spectral=spectral) if channels != width else None
        self.dropout, self.activation, self.halve = nn.Dropout(dropout), act, stage.halve

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        h = self.activation(self.dropout(self.first(x, y)))
        x = self.second(h, y) + (x if self.skip is None else self.skip(x, y))
        return self.activation(F.avg_pool2d(x, 2) if self.halve else x)


class Strided(nn.Module):
    """act(conv(x)) for a 4x4 convolution with the bias and the gain of a block."""

    def __init__(self, channels: int, stage: Stage, classes: int, act: nn.Module, spectral: bool = True) -> None:
        super().__init__()
        stride = 2 if stage.halve else 1
        self.conv = Conv(channels, stage.width, 4, stride, classes, before=True, gain=True, spectral=spectral)
        self.activation = act

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        out: Tensor = self.activation(self.conv(x, y))
        return out


class Residual(nn.Module):
    """A 3x3 convolution, stages, and a head with one output (Du & Mordatch 2019).

    Biases are added before convolutions, not after them. All layers but the last are spectrally normalised, unless
    `spectral` is False. The head sums over space, or flattens into a dense layer of `dense` units.

    Args:
        event: `(channels, height, width)` of the images.
        stem: channels of the first convolution.
        stages: the stages after it.
        classes: number of classes, 0 for an unconditional network.
        activation: "leaky" (slope 0.2) or "swish".
        dropout: inside every residual block, in train mode.
        dense: units of the layer before the last; 0 sums over space instead.
        spectral: whether the weights are spectrally normalised. If not, they begin as torch initialises them.
        outputs: numbers per row.

    Raises:
        UserError: if the event is not a picture, or too small for the stages.
    """

    def __init__(
        self,
        event: Sequence[int],
        stem: int,
        stages: Sequence[Stage],
        classes: int = 0,
        activation: Literal["leaky", "swish"] = "leaky",
        dropout: float = 0.0,
        dense: int = 0,
        spectral: bool = True,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        require(len(event) == 3, f"a residual network reads pictures (channels, height, width), got {tuple(event)}")
        require(len(stages) > 0, "a residual network needs at least one stage")
        self.classes = classes
        self.activation: nn.Module = nn.LeakyReLU(SLOPE) if activation == "leaky" else nn.SiLU()
        self.stem = Conv(event[0], stem, spectral=spectral)
        channels, side = stem, (event[1], event[2])
        self.stages = nn.ModuleList()
        for stage in stages:
            self.stages.append(
                Strided(channels, stage, classes, self.activation, spectral)
                if stage.plain
                else Block(channels, stage, classes, self.activation, dropout, spectral)
            )
            channels = stage.width
            if stage.halve:  # a strided convolution rounds sides up, pooling down
                side = tuple((s + 1) // 2 if stage.plain else s // 2 for s in side)  # type: ignore[assignment]
        require(min(side) >= 1, f"{tuple(event)} is too small for the stages")
        self.dense = nn.Linear(channels * side[0] * side[1], dense) if dense else None
        if self.dense is not None and spectral:
            normalised(self.dense)
        self.last = nn.Linear(dense or channels, outputs)
        nn.init.xavier_normal_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x `(batch, *event)` and class numbers y `(batch,)` -> `(batch,)`, or `(batch, outputs)` for several.

        Raises:
            UserError: if y is missing, or given to an unconditional network.
        """
        require(self.classes > 0 or y is None, "the network is unconditional, but a condition was given")
        require(self.classes == 0 or y is not None, f"the network is conditional on {self.classes} classes: give y")
        x = self.activation(self.stem(x, None))
        for stage in self.stages:
            x = stage(x, y)
        if self.dense is not None:
            x = self.activation(self.dense(x.flatten(1)))
        else:
            x = (F.silu(x) if isinstance(self.activation, nn.SiLU) else F.relu(x)).sum((2, 3))
        values: Tensor = self.last(x).squeeze(1)
        return values
