"""The seed of a command."""

from __future__ import annotations

from torch import Generator

from energybased.errors import require


def generator_of(seed: int) -> Generator:
    """A generator with this seed. Raises `UserError` if torch does not take it."""
    require(0 <= seed < 2**62, f"seed must be in 0 ... 2^62, got {seed}")
    return Generator().manual_seed(seed)
