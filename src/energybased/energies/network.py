"""Neural energies: modules that return one number per row."""

from __future__ import annotations

from collections.abc import Sequence

from energybased import networks
from energybased.conditions import Classes, Vector
from energybased.energy import Network, as_energy

__all__ = ["MLP", "Network", "as_energy"]


class MLP(Network):
    """A multilayer perceptron over the flattened event.

    Args:
        dim: number of entries of the event.
        hidden: width of each hidden layer.
        condition: the kinds of y, see `conditions`. An int is a number of classes, and 0 means no condition.

    >>> import torch
    >>> MLP(4, (8,))(torch.zeros(3, 2, 2)).shape
    torch.Size([3])
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (128, 128),
        condition: int | Classes | Vector | Sequence[Classes | Vector] = 0,
    ) -> None:
        super().__init__(networks.MLP(dim, hidden, condition))
