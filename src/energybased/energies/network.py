"""Neural energies: any module whose output is one number for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from energybased import networks
from energybased.conditions import Classes, Vector
from energybased.energy import Condition, Energy
from energybased.errors import require


class Network(Energy):
    """The energy `module(x)` or, given a condition, `module(x, y)`; returns `(batch,)`.

    >>> import torch
    >>> Network(torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Flatten(0)))(torch.zeros(3, 2)).shape
    torch.Size([3])
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return self.module(x) if y is None else self.module(x, y)


class MLP(Network):
    """A multilayer perceptron over the flattened event of `dim` entries; see `networks.MLP`."""

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (128, 128),
        condition: int | Classes | Vector | Sequence[Classes | Vector] = 0,
    ) -> None:
        super().__init__(networks.MLP(dim, hidden, condition))


class Convolutional(Network):
    """A small convolutional network over images `(batch, channels, height, width)`."""

    def __init__(self, channels: int, width: int = 32, classes: int = 0) -> None:
        super().__init__(networks.Convolutional(channels, width, classes))


def as_energy(module: Any) -> Energy:
    """An energy as it is; any other `nn.Module` wrapped into one."""
    if isinstance(module, Energy):
        return module
    require(isinstance(module, nn.Module), f"an energy is made from an nn.Module, got {type(module).__name__}")
    return Network(module)
