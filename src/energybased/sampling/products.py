"""Products of matrices as a compiler likes them: biases and outer products are elementwise, and fuse with the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def addmm(bias: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    # The compiler would make + an addmm again, which writes the bias out first; - it fuses with what follows.
    return a @ b - bias.neg() if beta == alpha == 1 else NotImplemented


def product(a: Tensor, b: Tensor) -> Tensor:
    return a * b if a.shape[-1] == 1 else NotImplemented


PRODUCTS: dict[Any, Callable[..., Tensor]] = {
    aten.addmm.default: addmm,
    aten.baddbmm.default: addmm,
    aten.mm.default: product,
    aten.bmm.default: product,
}
