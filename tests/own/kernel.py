"""A kernel of one's own: Langevin dynamics whose noise comes from torch, with the generator that the kernel gets."""

from dataclasses import dataclass

import torch

from energybased.sampling import Info, State


@dataclass(frozen=True)
class OwnLangevin:
    """x <- x - s^2/2 grad E(x) + s eps, clamped to the bounds.

    Args:
        s: standard deviation of the noise, in units of x.
        bounds: (low, high); None for real numbers.
    """

    s: float = 0.1
    bounds: tuple[float, float] | None = None

    def init(self, energy, x):
        return State(energy.project(x))

    def step(self, energy, state, generator):
        x = state.x
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
        value, grad = energy.value_and_grad(x)
        x = x - self.s**2 / 2 * grad + self.s * noise
        x = x if self.bounds is None else x.clamp(*self.bounds)
        return State(energy.project(x)), Info(grad, value)
