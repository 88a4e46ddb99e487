"""Random numbers for chains: one stream per chain, independent of the batch in which the chain runs.

The generator is counter-based: a number is a hash of (seed, chain, position, entry) by the finaliser of SplitMix64
(Steele, Lea & Flood 2014). So the noise of a chain depends neither on the other chains of its batch nor on how many
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

Shape = Callable[[Tensor, torch.dtype], Tensor]  # from random bits to random numbers of this dtype

BLOCK_ENTRIES = 2**16  # 64-bit numbers drawn ahead at once
GOLDEN, FIRST, SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15  # as signed 64-bit integers


def _mix(z: Tensor) -> Tensor:
    """The finaliser of SplitMix64 on int64, whose products wrap. The masks make `>>` a logical shift."""
    z = z ^ (z >> 30).bitwise_and_((1 << 34) - 1)
    z *= FIRST
    z ^= (z >> 27).bitwise_and_((1 << 37) - 1)
    z *= SECOND
    z ^= (z >> 31).bitwise_and_((1 << 33) - 1)
    return z


def _normals(bits: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Box-Muller: two normals from the two halves of each 64-bit number, along the last axis."""
    radius = (bits >> 32).bitwise_and_(0xFFFFFFFF).to(dtype).add_(0.5).mul_(2.0**-32).log_().mul_(-2.0).sqrt_()
    angle = (bits & 0xFFFFFFFF).to(dtype).mul_(2 * math.pi * 2.0**-32)
    return torch.cat([angle.cos().mul_(radius), angle.sin_().mul_(radius)], dim=-1)


def _uniforms(bits: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Uniform numbers in (0, 1), from 23 bits in float32 and 52 in float64, to which 1/2 is added exactly."""
    count = 52 if dtype == torch.float64 else 23
    return (bits >> 64 - count & (1 << count) - 1).to(dtype).add_(0.5).mul_(2.0**-count)


def _computed(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


class Streams(Generator):
    """The random streams of a batch of chains. Every draw advances their positions.

    `normal` and `uniform` draw from the stream of each chain. Streams are also a `torch.Generator` for torch's own
    functions, with the same seed. `torch.randn(x.shape, generator=streams, device=streams.device)` is reproducible, but
    these numbers belong to the batch and not to the chain: for a part of the batch they are different.

    Args:
        keys: `(batch,)` in int64, one per chain.
        seed: the seed for torch's own functions.

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
        self.blocks: dict[str, tuple[int, Tensor]] = {}  # numbers drawn ahead, and their first position
        self.manual_seed(seed)

    @staticmethod
    def of(generator: Generator | Streams | None, x: Tensor) -> Streams:
        """Streams for the rows of x, seeded by one number drawn from the generator. Streams are returned unchanged.

        Args:
            generator: torch's global generator on the CPU if not given.
            x: `(batch, *event)`; the streams are on its device.

        Raises:
            UserError: if streams are given whose number of chains is not that of x.
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
        """The streams of these chains at their present positions. They draw the same numbers as in this batch.

        With torch's own functions, two parts of a batch draw different numbers.
        """
        selected = Streams(self.keys[rows])
        selected.positions = dict(self.positions)
        selected.set_state(self.get_state())
        if len(selected.keys) < len(self.keys):
            seed = torch.randint(2**62, (1,), generator=selected, device=selected.device)
            selected.manual_seed(int(_mix(seed + selected.keys.sum())))
        return selected

    def follow(self, other: Streams) -> None:
        """Moves to the positions of other streams of the same chains."""
        self.positions = dict(other.positions)
        self.set_state(other.get_state())

    def __deepcopy__(self, memo: dict[int, Any]) -> Streams:
        return self.select(slice(None))

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers in the shape `(batch, *event)` and dtype of `like`.

        They are computed in float64 for float64, and in float32 for all other dtypes.
        """
        entries = like[0].numel()
        flat = self._next("normal", (entries + 1) // 2, _normals, _computed(like.dtype))
        return flat[:, :entries].reshape(like.shape).to(like.dtype)

    def uniform(self, like: Tensor) -> Tensor:
        """One uniform number in (0, 1) per chain, `(batch,)`, in the dtype of `like`, `(batch, *event)`."""
        return self._next("uniform", 1, _uniforms, _computed(like.dtype))[:, 0].to(like.dtype)

    def _next(self, kind: str, width: int, shape: Shape, dtype: torch.dtype) -> Tensor:
        position = self.positions[kind]
        ahead = max(1, BLOCK_ENTRIES // max(1, len(self.keys) * width))
        offset = position % ahead
        name, first = f"{kind} {width} {dtype}", position - offset
        if name not in self.blocks or self.blocks[name][0] != first:
            steps = torch.arange(first, first + ahead, device=self.keys.device)
            self.blocks[name] = first, shape(bits(self.keys, kind, width, steps), dtype)
        self.positions[kind] = position + 1
        return self.blocks[name][1][offset]


def bits(keys: Tensor, kind: str, width: int, positions: Tensor) -> Tensor:
    """Random 64-bit numbers `(positions, batch, width)` for chains with these keys, `(batch,)`."""
    tag = 0 if kind == "normal" else 1 << 62
    keys = _mix(keys + GOLDEN * (positions[:, None] + 1 + tag))
    # A traced step must get these numbers as a tensor: a compiler that computed them would overflow.
    entries = GOLDEN * torch.arange(1, width + 1, device=keys.device)
    return _mix(keys[:, :, None] + entries)
