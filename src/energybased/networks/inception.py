"""The Inception network of 2015 in whose features published Fréchet distances are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEATURES, CLASSES = 2048, 1008


@dataclass(frozen=True)
class Convolution:
    """A convolution of a branch. A stride of 1 keeps the size of the picture; a stride of 2 has no padding.

    Args:
        name: its name in the published weights.
        width: number of output channels.
        kernel: height and width of the kernel.
        stride: its stride.
    """

    name: str
    width: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1


Branch = Sequence[Convolution | tuple[Convolution, ...]]  # the last may be several, side by side
Pool = Callable[[Tensor], Tensor]
SQUARE, ROW, COLUMN = (3, 3), (1, 7), (7, 1)

# TensorFlow's average does not count the padding. The last block has a maximum instead of an average.
AVERAGE: Pool = partial(F.avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False)
MAXIMUM: Pool = partial(F.max_pool2d, kernel_size=3, stride=1, padding=1)
HALVED: Pool = partial(F.max_pool2d, kernel_size=3, stride=2)


class NormedConvolution(nn.Module):
    """A convolution without bias, a batch norm and a ReLU."""

    def __init__(
        self, width: int, out: int, kernel: tuple[int, int] = (1, 1), stride: int = 1, padding: tuple[int, int] = (0, 0)
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, out, height, width)` of x `(batch, width, height, width)`."""
        return F.relu(self.bn(self.conv(x)))


class Block(nn.Module):
    """Branches over the same input, whose outputs are concatenated.

    Args:
        width: number of input channels.
        branches: the convolutions of each branch.
        pool: the pooling with which the last branch begins.
        pooled: the convolution after it; None if there is none.
    """

    def __init__(self, width: int, branches: Sequence[Branch], pool: Pool, pooled: Convolution | None = None) -> None:
        super().__init__()
        self.pool = pool
        self.branches: list[list[list[str]]] = []
        self.out = 0
        for branch in (*branches, () if pooled is None else (pooled,)):
            channels, steps = width, list[list[str]]()
            for step in branch:
                parallel = (step,) if isinstance(step, Convolution) else step
                for c in parallel:
                    padding = (c.kernel[0] // 2, c.kernel[1] // 2) if c.stride == 1 else (0, 0)
                    self.add_module(c.name, NormedConvolution(channels, c.width, c.kernel, c.stride, padding))
                channels = sum(c.width for c in parallel)
                steps.append([c.name for c in parallel])
            self.branches.append(steps)
            self.out += channels

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, out, height', width')` of x `(batch, width, height, width)`."""
        outputs = []
        for branch in self.branches:
            y = self.pool(x) if branch is self.branches[-1] else x
            for names in branch:
                y = torch.cat([self.get_submodule(name)(y) for name in names], 1)
            outputs.append(y)
        return torch.cat(outputs, 1)


def block_a(width: int, pooled: int) -> Block:
    """The first kind of block, at 35 x 35."""
    c = Convolution
    branches: list[Branch] = [
        [c("branch1x1", 64)],
        [c("branch5x5_1", 48), c("branch5x5_2", 64, (5, 5))],
        [c("branch3x3dbl_1", 64), c("branch3x3dbl_2", 96, SQUARE), c("branch3x3dbl_3", 96, SQUARE)],
    ]
    return Block(width, branches, AVERAGE, c("branch_pool", pooled))


def block_b(width: int) -> Block:
    """The block from 35 x 35 to 17 x 17."""
    c = Convolution
    branches: list[Branch] = [
        [c("branch3x3", 384, SQUARE, 2)],
        [c("branch3x3dbl_1", 64), c("branch3x3dbl_2", 96, SQUARE), c("branch3x3dbl_3", 96, SQUARE, 2)],
    ]
    return Block(width, branches, HALVED)


def block_c(width: int, inner: int) -> Block:
    """The second kind of block, at 17 x 17."""
    c = Convolution
    double = [c(f"branch7x7dbl_{i}", inner, COLUMN if i % 2 == 0 else ROW) for i in (2, 3, 4)]
    branches: list[Branch] = [
        [c("branch1x1", 192)],
        [c("branch7x7_1", inner), c("branch7x7_2", inner, ROW), c("branch7x7_3", 192, COLUMN)],
        [c("branch7x7dbl_1", inner), *double, c("branch7x7dbl_5", 192, ROW)],
    ]
    return Block(width, branches, AVERAGE, c("branch_pool", 192))


def block_d(width: int) -> Block:
    """The block from 17 x 17 to 8 x 8."""
    c = Convolution
    square = [c("branch7x7x3_2", 192, ROW), c("branch7x7x3_3", 192, COLUMN), c("branch7x7x3_4", 192, SQUARE, 2)]
    branches: list[Branch] = [
        [c("branch3x3_1", 192), c("branch3x3_2", 320, SQUARE, 2)],
        [c("branch7x7x3_1", 192), *square],
    ]
    return Block(width, branches, HALVED)


def block_e(width: int, pool: Pool) -> Block:
    """The third kind of block, at 8 x 8."""
    c = Convolution
    branches: list[Branch] = [
        [c("branch1x1", 320)],
        [c("branch3x3_1", 384), (c("branch3x3_2a", 384, (1, 3)), c("branch3x3_2b", 384, (3, 1)))],
        [
            c("branch3x3dbl_1", 448),
            c("branch3x3dbl_2", 384, SQUARE),
            (c("branch3x3dbl_3a", 384, (1, 3)), c("branch3x3dbl_3b", 384, (3, 1))),
        ],
    ]
    return Block(width, branches, pool, c("branch_pool", 192))


class Inception2015(nn.Module):
    """Inception v3 (Szegedy et al. 2016) as in TensorFlow's graph of 2015-12-05, with its 1008 classes.

    The names of its parameters are those of the PyTorch port `pt_inception-2015-12-05-6726825d.pth`. It differs from
    torchvision's network in the pooling of its blocks: averages do not count the padding, and the last block takes a
    maximum.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = NormedConvolution(3, 32, SQUARE, 2)
        self.Conv2d_2a_3x3 = NormedConvolution(32, 32, SQUARE)
        self.Conv2d_2b_3x3 = NormedConvolution(32, 64, SQUARE, 1, (1, 1))
        self.Conv2d_3b_1x1 = NormedConvolution(64, 80)
        self.Conv2d_4a_3x3 = NormedConvolution(80, 192, SQUARE)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = block_a(192, 32), block_a(256, 64), block_a(288, 64)
        self.Mixed_6a = block_b(288)
        self.Mixed_6b, self.Mixed_6c = block_c(768, 128), block_c(768, 160)
        self.Mixed_6d, self.Mixed_6e = block_c(768, 160), block_c(768, 192)
        self.Mixed_7a = block_d(768)
        self.Mixed_7b, self.Mixed_7c = block_e(1280, AVERAGE), block_e(2048, MAXIMUM)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Features `(batch, 2048)` of pictures `(batch, 3, 299, 299)` in [-1, 1]."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(HALVED(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(HALVED(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))
