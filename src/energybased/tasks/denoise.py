"""Taking noise off with an energy of noisy data."""

from __future__ import annotations

import torch
from torch import Tensor

from energybased.energy import Energy


@torch.no_grad()
def denoise(energy: Energy, x: Tensor, noise: float, times: int = 1) -> Tensor:
    """The expected clean x: x - noise^2 grad E(x), like x `(batch, *event)`.

    Exact if exp(-E) is the density of data plus Gaussian noise of standard deviation `noise` (Robbins 1956,
    Miyasawa 1961: Tweedie's formula). The mean of all that x may have been is blurred; taken again and again it is
    mean shift (Comaniciu & Meer 2002), which goes uphill from there, to what is likely.
    """
    for _ in range(times if noise else 0):
        x = x - noise**2 * energy.value_and_grad(x)[1]
    return x
