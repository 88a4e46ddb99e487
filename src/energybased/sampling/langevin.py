"""Langevin dynamics without a Metropolis correction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor

from energybased.energy import Energy
from energybased.errors import require
from energybased.sampling.kernel import Bounds, Info, State, check_bounds, check_positive
from energybased.sampling.streams import Streams


@dataclass(frozen=True, repr=False)
class Langevin:
    """Langevin dynamics in the order of Du & Mordatch 2019: first noise, then a gradient step from the noised point.

    x' = x + noise_scale * eps, then x <- clamp(x' - step_size * clip(grad E(x'))). For small steps the chain samples
    exp(-E / T) at the temperature T = noise_scale^2 / (2 step_size).

    Args:
        step_size: factor on the gradient, in units of x^2.
        noise_scale: standard deviation of the noise, in units of x.
        grad_clip: each entry of the gradient is clipped to +-grad_clip.
        bounds: (low, high), to which x is clamped after every step.
        noise_first: evaluate the gradient at the noised point x', as in the paper. If False, evaluate it at x.

    Raises:
        UserError: for settings out of range.

    >>> Langevin(step_size=0.5, noise_scale=1.0).temperature
    1.0
    """

    compilable: ClassVar[bool] = True

    step_size: float
    noise_scale: float
    grad_clip: float | None = None
    bounds: Bounds | None = None
    noise_first: bool = True

    def __post_init__(self) -> None:
        check_positive(step_size=self.step_size)
        require(self.noise_scale >= 0, f"noise_scale must not be negative, got {self.noise_scale}")
        require(self.grad_clip is None or self.grad_clip > 0, f"grad_clip must be positive, got {self.grad_clip}")
        check_bounds(self.bounds)

    @staticmethod
    def overdamped(s: float, grad_clip: float | None = None, bounds: Bounds | None = None) -> Langevin:
        """x <- x - s^2/2 grad E(x) + s eps, at temperature 1 (Xiao & Han 2022).

        Args:
            s: standard deviation of the noise, in units of x. On a standard normal the stationary variance is
                1 / (1 - s^2/4).
            grad_clip: as for the class.
            bounds: as for the class.
        """
        check_positive(s=s)
        return Langevin(0.5 * s * s, s, grad_clip, bounds, noise_first=False)

    @property
    def temperature(self) -> float:
        """The temperature that the chain samples at, noise_scale^2 / (2 step_size)."""
        return self.noise_scale**2 / (2 * self.step_size)

    def __repr__(self) -> str:
        extras = "".join(
            f", {name}={value}"
            for name, value in (("grad_clip", self.grad_clip), ("bounds", self.bounds))
            if value is not None
        )
        return (
            f"Langevin(step_size={self.step_size:g}, noise_scale={self.noise_scale:g}{extras}, "
            f"noise_first={self.noise_first}; temperature {self.temperature:g})"
        )

    def init(self, energy: Energy, x: Tensor) -> State:
        return State(energy.project(x))

    def step(self, energy: Energy, state: State, generator: Generator | Streams | None) -> tuple[State, Info]:
        x = state.x
        noise = self.noise_scale * Streams.of(generator, x).normal(x)
        if self.noise_first:
            x = energy.project(x + noise)
        value, grad = energy.value_and_grad(x)
        info = Info(grad, value)
        if self.grad_clip is not None:
            grad = grad.clamp(-self.grad_clip, self.grad_clip)
        x = x - self.step_size * grad
        if not self.noise_first:
            x = x + noise
        if self.bounds is not None:
            x = x.clamp(*self.bounds)
        return State(energy.project(x)), info
