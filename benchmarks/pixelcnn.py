"""A small PixelCNN over pictures with Gaussian noise: a rival with an exact density.

It has the two stacks of the Gated PixelCNN (van den Oord et al. 2016), with dilated convolutions. One more class, which
stands for "unknown", is drawn for half of the training pictures, so that one network has p(v | class) and p(v).
"""

from __future__ import annotations

import math

import torch
from learner import NOISE, Learner, held_out, pictures, train
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from energybased.data import DataSet
from energybased.energies import Network
from energybased.sampling.denoise import denoise

LEVELS = 17  # values in [0, 1] that a pixel without noise can have; their distance is a fifth of the noise
ABOVE, LEFT = 3, 3  # rows above a pixel, and pixels left of it, that the first layer sees
RATE, BATCH, PART = 3e-3, 16, 100  # pictures in a part of a computation without an update
TOGETHER = 1000  # pictures that are sampled together


def gated(x: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=1)
    return a.tanh() * b.sigmoid()


class Layer(nn.Module):
    """A layer of both stacks: vertically, row i sees rows i - d and i of its input; horizontally, column j sees columns
    j - d and j of its row, and the vertical stack. The inputs have d rows above, or d columns on the left, of padding.
    """

    def __init__(self, width: int, classes: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.down = nn.Conv2d(width, 2 * width, (2, 3), dilation=dilation, padding=(0, dilation))
        self.right = nn.Conv2d(width, 2 * width, (1, 2), dilation=(1, dilation))
        self.link, self.out = nn.Conv2d(2 * width, 2 * width, 1), nn.Conv2d(width, width, 1)
        self.label = nn.Embedding(classes, 4 * width)
        nn.init.zeros_(self.label.weight)

    def biases(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The biases of the two stacks for classes y `(n,)`, `(n, 2 width, 1, 1)` each."""
        of_down, of_right = self.label(y)[:, :, None, None].chunk(2, dim=1)
        return of_down, of_right

    def vertical(self, v: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The output of the vertical stack, and what the horizontal one adds."""
        d = self.dilation
        found = self.down(v) + bias
        return v[:, :, d:] + gated(found), self.link(found)

    def horizontal(self, h: Tensor, link: Tensor, bias: Tensor) -> Tensor:
        out: Tensor = h[..., self.dilation :] + self.out(gated(self.right(h) + link + bias))
        return out


class PixelCNN(nn.Module):
    """p(v) = prod_i p(v_i | v_1 ... v_(i-1)), pixels in order from row to row.

    A factor is sum_k w_k N(v_i; k / 16, noise^2): v is x + noise eps, so the network has to know x only, at 17 levels.

    Args:
        event: (1, height, width).
        classes: number of classes. Class number `classes` stands for an unknown class.
        width: channels of each stack.
        dilations: of the layers.
    """

    levels: Tensor

    def __init__(
        self, event: tuple[int, ...], classes: int, width: int = 24, dilations: tuple[int, ...] = (1, 2, 4, 8)
    ) -> None:
        super().__init__()
        self.event, self.classes, self.width = event, classes, width
        self.above = nn.Conv2d(1, width, (ABOVE, 7), padding=(0, 3))
        self.left = nn.Conv2d(1, width, (1, LEFT))
        self.place = nn.Parameter(torch.zeros(2, width, *event[1:]))
        self.layers = nn.ModuleList(Layer(width, classes + 1, d) for d in dilations)
        last = nn.Conv2d(64, LEVELS, 1)
        self.head = nn.Sequential(nn.SiLU(), nn.Conv2d(width, 64, 1), nn.SiLU(), last)
        self.register_buffer("levels", torch.linspace(0, 1, LEVELS))

    def forward(self, v: Tensor, y: Tensor) -> Tensor:
        """Logits `(n, 17, height, width)` of the levels, for pictures v `(n, 1, height, width)` of classes y `(n,)`."""
        down = self.above(F.pad(v, (0, 0, ABOVE, 0)))[:, :, :-1] + self.place[0]
        right = self.left(F.pad(v, (LEFT, 0, 0, 0)))[..., :-1] + self.place[1]
        for layer in self.layers:
            d, (of_down, of_right) = layer.dilation, layer.biases(y)
            down, link = layer.vertical(F.pad(down, (0, 0, d, 0)), of_down)
            right = layer.horizontal(F.pad(right, (d, 0, 0, 0)), link, of_right)
        logits: Tensor = self.head(right)
        return logits

    def densities(self, logits: Tensor, v: Tensor) -> Tensor:
        """log p `(n, height, width)` of pixels v `(n, 1, height, width)`, in nats."""
        z = (v - self.levels.view(1, -1, 1, 1)) / NOISE
        return (logits.log_softmax(1) - 0.5 * z.square()).logsumexp(1) - math.log(NOISE * math.sqrt(2 * math.pi))

    def log_prob(self, v: Tensor, y: Tensor) -> Tensor:
        """log p(v | y) `(n,)`, in nats."""
        return self.densities(self(v, y), v).flatten(1).sum(1)

    @torch.no_grad()
    def likelihood(self, v: Tensor) -> Tensor:
        """log p(v) `(n,)` of pictures whose class is unknown, part by part."""
        return torch.cat([self.log_prob(part, self.unknown(len(part))) for part in v.split(PART)])

    def unknown(self, n: int) -> Tensor:
        return torch.full((n,), self.classes)

    @torch.no_grad()
    def sample(self, y: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        """A picture with noise for each class y `(n,)`, `(n, 1, height, width)`, and its log-density, `(n,)`.

        Every layer computes each row, and each pixel, once: what later ones need of it is kept.
        """
        (_, height, width), n, total = self.event, len(y), torch.zeros(len(y))
        v = torch.zeros(n, 1, height + ABOVE, width + LEFT)
        rows = [torch.zeros(n, self.width, height + layer.dilation, width) for layer in self.layers]
        biases = [layer.biases(y) for layer in self.layers]
        for i in range(height):
            down = self.above(v[:, :, i : i + ABOVE, LEFT:]) + self.place[0, :, i : i + 1]
            links = []
            for layer, kept, (bias, _) in zip(self.layers, rows, biases, strict=True):
                kept[:, :, i + layer.dilation] = down[:, :, 0]
                down, link = layer.vertical(kept[:, :, i : i + layer.dilation + 1], bias)
                links.append(link)
            columns = [torch.zeros(n, self.width, 1, width + layer.dilation) for layer in self.layers]
            for j in range(width):
                right = self.left(v[:, :, i + ABOVE : i + ABOVE + 1, j : j + LEFT])
                right = right + self.place[1, :, i : i + 1, j : j + 1]
                for layer, kept, link, (_, bias) in zip(self.layers, columns, links, biases, strict=True):
                    kept[..., j + layer.dilation] = right[..., 0]
                    seen = kept[..., j : j + layer.dilation + 1]
                    right = layer.horizontal(seen, link[..., j : j + 1], bias)
                logits = self.head(right)
                level = logits[:, :, 0, 0].softmax(1).multinomial(1, generator=rng)
                pixel = self.levels[level] + NOISE * torch.randn(n, 1, generator=rng)
                v[:, :, i + ABOVE, j + LEFT] = pixel
                total += self.densities(logits, pixel[:, :, None, None]).view(n)
        return v[:, :, ABOVE:, LEFT:], total

    def many(self, y: Tensor, rng: Generator) -> Tensor:
        """A picture with noise for each class y `(n,)`, 1,000 at a time."""
        return torch.cat([self.sample(part, rng)[0] for part in y.split(TOGETHER)])

    def denoised(self, v: Tensor, y: Tensor, times: int) -> Tensor:
        """The mean of x given v = x + noise eps, v + noise^2 grad log p(v | y), taken this often, clipped to [0, 1]."""
        parts = zip(v.split(PART), y.split(PART), strict=True)
        return torch.cat([self._denoised(*part, times) for part in parts]).clamp(0, 1)

    def _denoised(self, v: Tensor, y: Tensor, times: int) -> Tensor:
        return denoise(Network(lambda x: -self.log_prob(x, y)), v, NOISE, times=times)


def build(data: DataSet) -> PixelCNN:
    return PixelCNN(data.event, data.classes)


def fit(network: PixelCNN, data: DataSet, minutes: float, seed: int) -> str:
    """Maximum likelihood of noisy pictures."""
    learner, rng = Learner(network, RATE), torch.Generator().manual_seed(seed)
    held, _ = held_out(data, seed, NOISE)

    def update(batch, progress: float) -> None:
        v, y = pictures(batch, rng, NOISE)
        y = torch.where(torch.rand(len(y), generator=rng) < 0.5, y, network.classes)
        learner.step(-network.log_prob(v, y).mean() / v[0].numel(), progress)

    return train(learner, update, lambda net: -float(net.likelihood(held).mean()), data, minutes, seed, BATCH)
