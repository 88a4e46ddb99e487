"""A network that computes in bfloat16."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MIN_COSINE = 0.9  # cosine of the gradients in both precisions at the least


class BFloat16(nn.Module):
    """The module under autocast to bfloat16; weights, inputs and outputs stay in float32.

    Relative errors are about 1e-2 in a gradient, where float32 has 1e-6. On processors and devices with bfloat16
    matrix units it is several times faster, elsewhere slower.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            values: Tensor = self.module(x) if y is None else self.module(x, y)
        return values.float()

    def fault(self, x: Tensor, y: Tensor | None = None) -> str | None:
        """What is wrong with the gradient of this network in bfloat16 at x `(batch, *event)`; None if nothing is."""
        try:
            half, single = _gradient(self, x, y), _gradient(self.module, x, y)
        except RuntimeError as error:
            return str(error).strip().split("\n")[0]
        if not bool(half.isfinite().all()):
            return "its gradient is not finite"
        agreement = float(torch.cosine_similarity(half.flatten(), single.flatten(), dim=0, eps=1e-30))
        same = agreement > MIN_COSINE or not bool(single.any())
        return None if same else f"the cosine of its gradient with that in float32 is {agreement:.2f}"


def _gradient(module: nn.Module, x: Tensor, y: Tensor | None) -> Tensor:
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        values = module(leaf) if y is None else module(leaf, y)
        return torch.autograd.grad(values.sum(), leaf)[0]
