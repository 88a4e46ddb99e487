"""Matrix products for the compiler. Biases and outer products become elementwise operations, which it can fuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def addmm(bias: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    # The compiler would turn a sum into addmm again, which first copies the bias. It fuses a difference.
    return a @ b - bias.neg() if beta == alpha == 1 else NotImplemented


def product(a: Tensor, b: Tensor) -> Tensor:
    return a * b if a.shape[-1] == 1 else NotImplemented


PRODUCTS: dict[Any, Callable[..., Tensor]] = {
    aten.addmm.default: addmm,
    aten.baddbmm.default: addmm,
    aten.mm.default: product,
    aten.bmm.default: product,
}
