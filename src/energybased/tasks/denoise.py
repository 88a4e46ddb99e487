"""Taking noise off with an energy of noisy data."""

from __future__ import annotations

import torch
from torch import Tensor

from energybased.energy import Energy


@torch.no_grad()
def denoise(energy: Energy, x: Tensor, noise: float) -> Tensor:
    """The expected clean x: x - noise^2 grad E(x), like x `(batch, *event)`.

    Exact if exp(-E) is the density of data plus Gaussian noise of standard deviation `noise` (Robbins 1956,
    Miyasawa 1961: Tweedie's formula).
    """
    return x - noise**2 * energy.value_and_grad(x)[1] if noise else x
