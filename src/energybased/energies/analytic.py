"""Energies whose log Z is known: what samplers and estimates are tested against."""

from __future__ import annotations

from torch import Generator, Tensor

from energybased.energy import Energy


class Analytic(Energy):
    """An energy over vectors `(batch, dim)` with known `log_z`, a 0-d tensor."""

    dim: int

    @property
    def log_z(self) -> Tensor:
        """log of the integral of exp(-E)."""
        raise NotImplementedError

    def log_prob(self, x: Tensor) -> Tensor:
        """-E(x) - log Z, in nats, `(batch,)`."""
        return -self(x) - self.log_z

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """n exact, independent samples `(n, dim)`, with a `torch.Generator`."""
        raise NotImplementedError
