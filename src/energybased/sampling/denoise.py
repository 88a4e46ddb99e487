"""Denoising with an energy of noisy data."""

from __future__ import annotations

import torch
from torch import Tensor

from energybased.energy import Energy


@torch.no_grad()
def denoise(energy: Energy, x: Tensor, noise: float, times: int = 1) -> Tensor:
    """The expectation of the clean x given noisy x, x - noise^2 grad E(x): Tweedie's formula (Robbins 1956).

    It is exact if exp(-E) is proportional to the density of data plus Gaussian noise of standard deviation `noise`
    (Miyasawa 1961). As a mean over all clean x that are compatible with the noisy x, it can be blurred. Repeating it is
    mean shift (Comaniciu & Meer 2002), which moves x towards a mode of the density.

    Args:
        energy: the energy of noisy data.
        x: noisy examples, `(batch, *event)`.
        noise: standard deviation of the noise, in units of x; with 0, x is returned unchanged.
        times: how often the formula is applied.

    Returns:
        Denoised examples, `(batch, *event)`.

    >>> from energybased.energies import StandardNormal
    >>> denoise(StandardNormal(1), torch.ones(1, 1), noise=0.5)
    tensor([[0.7500]])
    """
    for _ in range(times if noise else 0):
        x = x - noise**2 * energy.value_and_grad(x)[1]
    return x
