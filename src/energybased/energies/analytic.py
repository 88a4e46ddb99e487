"""Energies whose log Z is known. Samplers and estimates are tested against them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from energybased.energy import Energy


class Analytic(Energy):
    """An energy over vectors `(batch, dim)` whose normalising constant is known.

    Args:
        like: a tensor whose device and dtype the energy takes; float32 on the CPU if not given.
    """

    dim: int
    anchor: Tensor

    def __init__(self, like: Tensor | None = None) -> None:
        super().__init__()
        # An empty buffer follows `.to(...)`, so that an energy without other tensors knows its device and dtype.
        empty = torch.empty(0, device="cpu") if like is None else like.new_empty(0)
        self.register_buffer("anchor", empty, persistent=False)

    @property
    def log_z(self) -> Tensor:
        """log of the integral of exp(-E), 0-d, in nats."""
        raise NotImplementedError

    def log_prob(self, x: Tensor) -> Tensor:
        """-E(x) - log Z, in nats, `(batch,)`."""
        return -self(x) - self.log_z

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """n exact, independent samples `(n, dim)`, on the device and in the dtype of the energy.

        The random numbers are drawn on the device of the generator, or on the CPU without one.
        """
        raise NotImplementedError

    def number(self, value: float) -> Tensor:
        """A number as a 0-d tensor of the energy's device and dtype."""
        return torch.tensor(value, dtype=self.anchor.dtype, device=self.anchor.device)

    def draw(self, function: Callable[..., Tensor], *shape: int, generator: Generator | None) -> Tensor:
        """Random numbers of this shape, drawn by `function`: `torch.randn` or `torch.rand`."""
        drawn = function(*shape, generator=generator, device=device_of(generator), dtype=self.anchor.dtype)
        return drawn.to(self.anchor.device)

    def choices(self, log_weights: Tensor, n: int, generator: Generator | None) -> Tensor:
        """Indices of n components `(n,)`, drawn with probabilities exp(log_weights), `(components,)`."""
        weights = log_weights.exp().to(device_of(generator))
        return torch.multinomial(weights, n, replacement=True, generator=generator).to(self.anchor.device)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


def device_of(generator: Generator | None) -> torch.device:
    """The device on which a generator draws; the CPU without a generator."""
    return torch.device("cpu") if generator is None else generator.device
