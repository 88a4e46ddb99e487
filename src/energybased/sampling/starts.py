"""Where fresh chains start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from energybased.data.domain import AnyDomain
from energybased.energy import Energy


@runtime_checkable
class Starting(Protocol):
    """An energy that says where its chains start."""

    def start(self, n: int, generator: Generator) -> Tensor:
        """n fresh starts of chains, `(n, *event)` or flattened to `(n, dim)`."""
        ...


def fresh_starts(
    energy: Energy, domain: AnyDomain, n: int, event: Sequence[int], generator: Generator, dtype: torch.dtype
) -> Tensor:
    """n fresh starts of chains, `(n, *event)`, on the device of the generator.

    They come from the energy, or from a part of it, that is `Starting`; from the domain if there is none.
    """
    own = next((part for part in energy.modules() if isinstance(part, Starting)), None)
    if own is None:
        return domain.start(n, event, generator, dtype)
    return own.start(n, generator).view(n, *event).to(generator.device, dtype)
