"""Random numbers for chains: one stream a chain, whatever batch the chain runs in.

A number is a hash of (seed, chain, position, entry), by the finaliser of SplitMix64 (Steele, Lea & Flood 2014) as a
counter-based generator. So the noise of a chain depends neither on the other chains of its batch nor on how many
numbers are drawn ahead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Generator, Tensor

from energybased.energy import Rows
from energybased.errors import require

Shape = Callable[[Tensor, torch.dtype], Tensor]  # from random bits to numbers of this type

BLOCK_ENTRIES = 2**13  # numbers drawn ahead at once: small batches pay per operation, not per number
GOLDEN, FIRST, SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15  # 64-bit, as signed


def _mix(z: Tensor) -> Tensor:
    """SplitMix64's finaliser on int64, whose products wrap; `>>` is made logical by the masks."""
    z = (z ^ (z >> 30 & (1 << 34) - 1)) * FIRST
    z = (z ^ (z >> 27 & (1 << 37) - 1)) * SECOND
    return z ^ (z >> 31 & (1 << 33) - 1)


def _normals(bits: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Box-Muller: two normals from the two halves of each 64-bit number, along the last axis."""
    radius = (bits >> 32 & 0xFFFFFFFF).to(dtype).add_(0.5).mul_(2.0**-32).log_().mul_(-2.0).sqrt_()
    angle = (bits & 0xFFFFFFFF).to(dtype).mul_(2 * math.pi * 2.0**-32)
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=-1)


def _uniforms(bits: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """In (0, 1), from as many bits that the half that is added survives rounding: 23 in float32, 52 in float64."""
    count = 52 if dtype == torch.float64 else 23
    return (bits >> 64 - count & (1 << count) - 1).to(dtype).add_(0.5).mul_(2.0**-count)


def _computed(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


class Streams(Generator):
    """The random streams of a batch of chains; drawing from them moves them on.

    `normal` and `uniform` draw from the stream of each chain. Streams are also a `torch.Generator` that torch's own
    functions take, seeded from the same seed: `torch.randn(x.shape, generator=streams, device=streams.device)` is
    reproducible, but shared by the batch. In a part of a batch, it draws other numbers than in the whole.

    Args:
        keys: `(batch,)` in int64, one a chain.
        seed: of the numbers that torch's own functions draw.

    >>> x = torch.zeros(4, 2)
    >>> streams = Streams.of(torch.Generator().manual_seed(0), x)
    >>> part = streams.select([1, 3])
    >>> torch.equal(part.normal(x[:2]), streams.normal(x)[[1, 3]])
    True
    """

    def __new__(cls, keys: Tensor, *_: Any) -> Self:
        return super().__new__(cls, device="cpu" if keys.is_meta else keys.device)  # type: ignore[call-arg]

    def __init__(self, keys: Tensor, seed: int = 0) -> None:
        self.keys = keys
        self.positions = {"normal": 0, "uniform": 0}
        self.blocks: dict[str, tuple[int, Tensor]] = {}  # drawn ahead, from which position
        self.manual_seed(seed)

    @staticmethod
    def of(generator: Generator | Streams | None, x: Tensor) -> Streams:
        """Streams for the rows of x, seeded by one number that is drawn from the generator; streams as they are.

        Args:
            generator: torch's global one on the processor if not given.
            x: `(batch, *event)`, on whose device the streams are.

        Raises:
            UserError: if streams of another number of chains are given.
        """
        if isinstance(generator, Streams):
            require(
                len(generator.keys) == len(x), f"streams of {len(generator.keys)} chains were given for {len(x)} chains"
            )
            return generator
        device = generator.device if generator is not None else "cpu"
        seed = torch.randint(2**62, (1,), generator=generator, device=device)
        rows = torch.arange(1, len(x) + 1, device=x.device)
        return Streams(_mix(_mix(seed).to(x.device) + GOLDEN * rows), int(seed))

    def select(self, rows: Rows) -> Streams:
        """The streams of these chains, from where they are now: what they draw is what they would have drawn.

        Two parts of a batch draw different numbers with torch's own functions.
        """
        selected = Streams(self.keys[rows])
        selected.positions = dict(self.positions)
        selected.set_state(self.get_state())
        if len(selected.keys) < len(self.keys):
            seed = torch.randint(2**62, (1,), generator=selected, device=selected.device)
            selected.manual_seed(int(_mix(seed + selected.keys.sum())))
        return selected

    def follow(self, other: Streams) -> None:
        """Goes on where other streams of the same chains have come to."""
        self.positions = dict(other.positions)
        self.set_state(other.get_state())

    def __deepcopy__(self, memo: dict[int, Any]) -> Streams:
        return self.select(slice(None))

    def normal(self, like: Tensor) -> Tensor:
        """Standard normals in the shape and number type of `like`, `(batch, *event)`.

        They are computed in float64 for float64, and in float32 for all others.
        """
        entries = like[0].numel()
        flat = self._next("normal", (entries + 1) // 2, _normals, _computed(like.dtype))
        return flat[:, :entries].reshape(like.shape).to(like.dtype)

    def uniform(self, like: Tensor) -> Tensor:
        """One uniform number in (0, 1) a chain, `(batch,)`, in the number type of `like`."""
        return self._next("uniform", 1, _uniforms, _computed(like.dtype))[:, 0].to(like.dtype)

    def _next(self, kind: str, width: int, shape: Shape, dtype: torch.dtype) -> Tensor:
        position = self.positions[kind]
        ahead = max(1, BLOCK_ENTRIES // max(1, len(self.keys) * width))
        offset = position % ahead
        name, first = f"{kind} {width} {dtype}", position - offset
        if name not in self.blocks or self.blocks[name][0] != first:
            steps = torch.arange(first, first + ahead, device=self.keys.device)
            self.blocks[name] = first, shape(self.bits(kind, width, steps), dtype)
        self.positions[kind] = position + 1
        return self.blocks[name][1][offset]

    def bits(self, kind: str, width: int, positions: Tensor) -> Tensor:
        """Random 64-bit numbers `(positions, batch, width)`."""
        tag = 0 if kind == "normal" else 1 << 62
        keys = _mix(self.keys + GOLDEN * (positions[:, None] + 1 + tag))
        entries = torch.arange(1, width + 1, device=self.keys.device)
        return _mix(keys[:, :, None] + GOLDEN * entries)
