"""Linear operators on pictures that act on rows and on columns: blur, and averages of blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

REACH = 4.0  # of a blur, in standard deviations


class Separable(nn.Module):
    """A x = rows x columns^T, on the last two dimensions of x `(batch, channels, height, width)`.

    The matrices that `blur` and `average` make are in float64.

    Args:
        rows: `(height', height)`.
        columns: `(width', width)`.

    >>> Separable.average((1, 4, 4), 2).float()(torch.ones(3, 1, 4, 4)).shape
    torch.Size([3, 1, 2, 2])
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, rows: Tensor, columns: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)

    @staticmethod
    def blur(event: Sequence[int], width: float) -> Separable:
        """A Gaussian blur of standard deviation `width`, in pixels, of pictures whose edges are continued outwards."""
        return Separable(*(_blur(size, width) for size in event[1:]))

    @staticmethod
    def average(event: Sequence[int], factor: int) -> Separable:
        """Means of blocks of factor x factor pixels."""
        return Separable(*(_average(size, factor) for size in event[1:]))

    def forward(self, x: Tensor) -> Tensor:
        """x `(batch, channels, height, width)` -> `(batch, channels, height', width')`."""
        return self.rows @ x @ self.columns.T

    def spectral(self) -> tuple[Separable, Separable, Tensor]:
        """The operator in the basis of its left singular vectors, the change to that basis, and the singular values.

        In this basis each entry measures one coordinate of x: with A = U S V^T, U^T (A x + s eps) is S V^T x + s eps'.

        Returns:
            S V^T, which maps x to the basis; U^T, which maps A x to it; and the values `(height', width')`.
        """
        halves = [torch.linalg.svd(matrix.double(), full_matrices=False) for matrix in (self.rows, self.columns)]
        measured = Separable(*((s[:, None] * vt).to(self.rows) for _, s, vt in halves))
        change = Separable(*(u.T.to(self.rows) for u, _, _ in halves))
        return measured, change, torch.outer(halves[0][1], halves[1][1]).to(self.rows)


def _blur(size: int, width: float) -> Tensor:
    reach = math.ceil(REACH * width)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64, device="cpu")
    weights = (-0.5 * (offsets / width).square()).exp()
    weights = weights / weights.sum()
    places = (torch.arange(size, device="cpu")[:, None] + offsets.long()).clamp(0, size - 1)
    matrix = torch.zeros(size, size, dtype=torch.float64, device="cpu")
    return matrix.scatter_add_(1, places, weights.expand(size, -1))


def _average(size: int, factor: int) -> Tensor:
    blocks = torch.eye(size // factor, dtype=torch.float64, device="cpu")
    return blocks.repeat_interleave(factor, 1) / factor
