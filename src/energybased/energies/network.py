"""Neural energies: any module whose output is one number for each row."""

from __future__ import annotations

from collections.abc import Sequence

from energybased import networks
from energybased.energy import Network, as_energy

__all__ = ["MLP", "Network", "as_energy"]


class MLP(Network):
    """A multilayer perceptron over the flattened event.

    Args:
        dim: entries of the event.
        hidden: width of each hidden layer.
        classes: number of classes of the condition, 0 for none.
    """

    def __init__(self, dim: int, hidden: Sequence[int] = (128, 128), classes: int = 0) -> None:
        super().__init__(networks.MLP(dim, hidden, classes))
