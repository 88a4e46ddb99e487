"""A second variational autoencoder over the latent vectors of a first one (Dai & Wipf 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from energybased.networks.dense import dense
from energybased.networks.encoder import Encoder


class LatentDecoder(nn.Module):
    """The Gaussian p(z | u): maps u `(batch, dim)` to the mean of z `(batch, dim)`; its standard deviation is learned.

    Args:
        dim: number of entries of u, and of z.
        hidden: width of each hidden layer.
    """

    def __init__(self, dim: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*dense([dim, *hidden], dim))
        self.log_std = nn.Parameter(torch.zeros(()))

    def forward(self, u: Tensor) -> Tensor:
        """The mean of p(z | u), `(batch, dim)`, for u `(batch, dim)`."""
        mean: Tensor = self.layers(u)
        return mean


class TwoStageGenerator(nn.Module):
    """Both generators as one: (u, e) `(batch, 2 dim)` -> x = lower(z) with z = upper(u) + std e.

    With (u, e) from N(0, I), z is a sample of the second model, and x = lower(z) is generated from it.

    Args:
        lower: the first generator, from z `(batch, dim)` to `(batch, *event)`.
        upper: the second one, from u to z.
    """

    def __init__(self, lower: nn.Module, upper: LatentDecoder) -> None:
        super().__init__()
        self.lower, self.upper = lower, upper

    def forward(self, both: Tensor) -> Tensor:
        """Examples `(batch, *event)` for (u, e) `(batch, 2 dim)`."""
        u, e = both.chunk(2, dim=1)
        made: Tensor = self.lower(self.upper(u) + self.upper.log_std.exp() * e)
        return made


class TwoStageEncoder(nn.Module):
    """The encoder for `TwoStageGenerator`: z from the first encoder, u from the second, e = (z - upper(u)) / std.

    Args:
        lower: the first encoder, from x `(batch, *event)` to z `(batch, dim)`.
        above: the second one, from z to u.
        upper: the generator from u to z.
    """

    def __init__(self, lower: Encoder, above: Encoder, upper: LatentDecoder) -> None:
        super().__init__()
        self.lower, self.above, self.upper = lower, above, upper

    def sample(self, x: Tensor, rng: Generator) -> Tensor:
        """One sample (u, e) for each example x `(batch, *event)`, `(batch, 2 dim)`."""
        z = self.lower.sample(x, rng)
        u = self.above.sample(z, rng)
        return torch.cat([u, (z - self.upper(u)) / self.upper.log_std.exp()], 1)
