"""Numbers that multiply the rows of a batch."""

from __future__ import annotations

from torch import Tensor


def per_row(numbers: Tensor, batch: Tensor) -> Tensor:
    """Numbers `(batch,)`, or a mask, in a shape that broadcasts over the rows of a batch `(batch, *event)`.

    >>> import torch
    >>> per_row(torch.ones(2), torch.zeros(2, 3, 4)).shape
    torch.Size([2, 1, 1])
    """
    return numbers.view(-1, *[1] * (batch.ndim - 1))
