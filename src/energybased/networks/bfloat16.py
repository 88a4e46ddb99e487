"""A network that computes in bfloat16."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from energybased.energy import energies_by_class

MIN_COSINE = 0.9  # between the gradients in float32 and in bfloat16


class BFloat16(nn.Module):
    """A module under autocast to bfloat16; weights, inputs and outputs stay in float32.

    The relative error of a gradient is about 1e-2, against 1e-6 in float32. The module is several times faster than in
    float32 on hardware with bfloat16 matrix units, and slower on other hardware.

    Args:
        module: maps x, or x and y, to a tensor.

    >>> BFloat16(nn.Linear(2, 1))(torch.zeros(3, 2)).dtype
    torch.float32
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, *y: Tensor | None) -> Any:
        """What the module returns for x `(batch, *event)` and conditions y, a tensor or several, in float32."""
        with torch.autocast(x.device.type, torch.bfloat16):
            values = self.module(x) if y == (None,) else self.module(x, *y)
        return tuple(value.float() for value in values) if isinstance(values, tuple) else values.float()

    def by_class(self, x: Tensor, classes: int) -> Tensor:
        """The module's energies under each class, `(batch, classes)`, of x `(batch, *event)`, in float32."""
        with torch.autocast(x.device.type, torch.bfloat16):
            values = energies_by_class(self.module, x, classes)
        return values.float()

    def fault(self, x: Tensor, y: Tensor | None = None) -> str | None:
        """The reason why the gradient in bfloat16 at x `(batch, *event)` cannot be used; None if it can.

        The gradient must be finite, and its cosine with the gradient in float32 must exceed 0.9.
        """
        try:
            half, single = _gradient(self, x, y), _gradient(self.module, x, y)
        except RuntimeError as error:
            return str(error).strip().split("\n")[0]
        if not bool(half.isfinite().all()):
            return "its gradient is not finite"
        agreement = float(torch.cosine_similarity(half.flatten(), single.flatten(), dim=0, eps=1e-30))
        same = agreement > MIN_COSINE or not bool(single.any())
        return None if same else f"the cosine of its gradient with that in float32 is {agreement:.2f}"


def unwrapped(module: nn.Module) -> nn.Module:
    """A copy of a module whose parts compute in the type of their weights, without `BFloat16`."""

    def bare(part: nn.Module) -> nn.Module:
        while isinstance(part, BFloat16):
            part = part.module
        for name, child in list(part.named_children()):
            if child is not (inner := bare(child)):
                setattr(part, name, inner)
        return part

    return bare(copy.deepcopy(module))


def _gradient(module: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        values = module(leaf) if y is None else module(leaf, y)
        return torch.autograd.grad(values.sum(), leaf)[0]
