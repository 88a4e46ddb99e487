"""A denoiser of tables, whose noise has one standard deviation for each column."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class ColumnDenoiser(nn.Module):
    """Predicts the noise of rows in units of its standard deviation: rows `(batch, d)` -> noise `(batch, d)`.

    A multilayer perceptron with SiLU reads the rows, divided by sqrt(1 + sigma^2), the standard deviation of
    standardised columns with noise. It computes in float32, and returns the dtype of its input.

    Args:
        sigma: standard deviation of the noise of each column, `(d,)`.
        hidden: width of each hidden layer.
    """

    sigma: Tensor

    def __init__(self, sigma: Tensor, hidden: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("sigma", sigma.float())
        d = len(sigma)
        widths = [d, *hidden]
        layers = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.SiLU())]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], d))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers(x.float() * (1 + self.sigma.square()).rsqrt())
        return found.to(x.dtype)


def noise_of_columns(x: Tensor) -> Tensor:
    """The standard deviation of the noise for each column of standardised rows x `(n, d)`, `(d,)`.

    sigma_j = clip((1 + (kurtosis_j - 3) / 3) / 2, .1, 3), where the kurtosis is taken without the 2 % of rows at either
    end: columns of long tails get more noise, and those of two modes less (K-DSM: arXiv 2605.06955).
    """
    cut = int(0.02 * len(x))
    middle = x.sort(0).values[cut : len(x) - cut]
    centred = middle - middle.mean(0)
    variance = centred.square().mean(0)
    kurtosis = torch.where(variance > 0, centred.pow(4).mean(0) / variance.square().clamp_min(1e-30), 3.0)
    return (0.5 * (1 + (kurtosis - 3) / 3)).clamp(0.1, 3.0)
