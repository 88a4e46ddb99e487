"""Random numbers for chains: one stream a chain, whatever batch the chain runs in.

A number is a hash of (seed, chain, position, entry), the finaliser of SplitMix64 (Steele, Lea & Flood 2014)
used as a counter-based generator, so a chain's noise does not depend on its neighbours, on how a batch was
split, or on how many steps are drawn ahead.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from energybased.energy import Rows
from energybased.errors import require

BLOCK_ENTRIES = 2**13  # numbers drawn ahead at once: small batches pay per operation, not per number
GOLDEN, FIRST, SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15  # 64-bit, as signed


def _mix(z: Tensor) -> Tensor:
    """SplitMix64's finaliser on int64, whose products wrap; `>>` is made logical by the masks."""
    z = (z ^ (z >> 30 & (1 << 34) - 1)) * FIRST
    z = (z ^ (z >> 27 & (1 << 37) - 1)) * SECOND
    return z ^ (z >> 31 & (1 << 33) - 1)


def _normals(bits: Tensor) -> Tensor:
    """Box-Muller: two normals from the two halves of each 64-bit number, along the last axis, in float32."""
    radius = (bits >> 32 & 0xFFFFFFFF).float().add_(0.5).mul_(2.0**-32).log_().mul_(-2.0).sqrt_()
    angle = (bits & 0xFFFFFFFF).float().mul_(2 * math.pi * 2.0**-32)
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=-1)


def _uniforms(bits: Tensor) -> Tensor:
    """In (0, 1): 23 bits, so that the half that is added survives float32."""
    return (bits >> 41 & 0x7FFFFF).float().add_(0.5).mul_(2.0**-23)


class Streams:
    """The random streams of a batch of chains. Used like a generator: drawing moves it on."""

    def __init__(self, keys: Tensor) -> None:
        self.keys = keys
        self.positions = {"normal": 0, "uniform": 0}
        self.blocks: dict[str, tuple[int, Tensor]] = {}  # drawn ahead, from which position

    @staticmethod
    def of(generator: Generator | Streams | None, x: Tensor) -> Streams:
        """Streams for the rows of x, seeded by one number drawn from the generator; streams as they are."""
        if isinstance(generator, Streams):
            require(
                len(generator.keys) == len(x), f"streams of {len(generator.keys)} chains were given for {len(x)} chains"
            )
            return generator
        device = generator.device if generator is not None else "cpu"
        seed = torch.randint(2**62, (1,), generator=generator, device=device).to(x.device)
        return Streams(_mix(_mix(seed) + GOLDEN * torch.arange(1, len(x) + 1, device=x.device)))

    def select(self, rows: Rows) -> Streams:
        """The streams of these chains, from where they are now: what they draw is what they would have drawn."""
        selected = Streams(self.keys[rows])
        selected.positions = dict(self.positions)
        return selected

    def normal(self, like: Tensor) -> Tensor:
        """Standard normals in the shape and type of `like`, `(batch, *event)`."""
        entries = like[0].numel()
        flat = self._next("normal", (entries + 1) // 2, _normals)
        return flat[:, :entries].reshape(like.shape).to(like.dtype)

    def uniform(self, like: Tensor) -> Tensor:
        """One uniform number in (0, 1) a chain, `(batch,)`, in the type of `like`."""
        return self._next("uniform", 1, _uniforms)[:, 0].to(like.dtype)

    def _next(self, kind: str, width: int, shape: Callable[[Tensor], Tensor]) -> Tensor:
        position = self.positions[kind]
        ahead = max(1, BLOCK_ENTRIES // max(1, len(self.keys) * width))
        offset = position % ahead
        name, first = f"{kind} {width}", position - offset
        if name not in self.blocks or self.blocks[name][0] != first:
            steps = torch.arange(first, first + ahead, device=self.keys.device)
            self.blocks[name] = first, shape(self.bits(kind, width, steps))
        self.positions[kind] = position + 1
        return self.blocks[name][1][offset]

    def bits(self, kind: str, width: int, positions: Tensor) -> Tensor:
        """Random 64-bit numbers `(positions, batch, width)`."""
        tag = 0 if kind == "normal" else 1 << 62
        keys = _mix(self.keys + GOLDEN * (positions[:, None] + 1 + tag))
        entries = torch.arange(1, width + 1, device=self.keys.device)
        return _mix(keys[:, :, None] + GOLDEN * entries)
