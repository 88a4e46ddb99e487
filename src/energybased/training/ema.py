"""An exponential moving average of weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]


def ema_init(module: nn.Module) -> Weights:
    """A copy of the module's state, to be averaged from now on."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


@torch.no_grad()
def ema_update(average: Weights, module: nn.Module, decay: float, step: int) -> None:
    """average <- d average + (1 - d) weights, with d = min(decay, (1 + step)/(10 + step)); buffers are copied.

    `step` counts the updates of this average, so that its initial weights are soon forgotten.
    """
    d = min(decay, (1 + step) / (10 + step))
    for name, value in module.named_parameters():
        average[name].lerp_(value, 1 - d)
    ema_buffers(average, module)


@torch.no_grad()
def ema_buffers(average: Weights, module: nn.Module) -> None:
    """Copies the buffers, which are not learned; those of a frozen part can change too."""
    learned = {name for name, _ in module.named_parameters()}
    for name, value in module.state_dict().items():
        if name not in learned:
            average[name].copy_(value)
