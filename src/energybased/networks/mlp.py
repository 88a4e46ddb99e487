"""A multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from energybased.conditions import Classes, Vector, as_conditions, classes_of
from energybased.energy import Condition, energies_by_class
from energybased.networks.condition import ConditionEncoder


class MLP(nn.Module):
    """Linear layers with SiLU between them; the condition, if any, is concatenated to the input.

    Args:
        dim: number of entries of the flattened event.
        hidden: width of each hidden layer.
        condition: the kinds of y, see `conditions`. An int is a number of classes, and 0 means no condition.
        activation: class of the activations between the layers.
        outputs: numbers per row.

    >>> MLP(4, (8,), condition=3)(torch.zeros(2, 4), torch.tensor([0, 2])).shape
    torch.Size([2])
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int],
        condition: int | Classes | Vector | Sequence[Classes | Vector] = 0,
        activation: type[nn.Module] = nn.SiLU,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.condition = ConditionEncoder(as_conditions(condition))
        widths = [dim + self.condition.width, *hidden]
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), activation()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], outputs))

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        """x `(batch, *event)` and a condition y of `batch` rows -> `(batch,)`, or `(batch, outputs)` for several.

        Raises:
            UserError: if y is missing, or of another kind than the network's conditions.
        """
        x = x.flatten(1)
        if y is not None or self.condition.conditions:
            x = torch.cat([x, self.condition(y, x)], dim=1)
        return self.layers(x).squeeze(1)

    def by_class(self, x: Tensor, classes: int) -> Tensor:
        """Energies `(batch, classes)` of x `(batch, *event)` under each class. The first layer sees x only once."""
        if classes_of(self.condition.conditions) != classes:
            return energies_by_class(self.__call__, x, classes)
        first, x = self.layers[0], x.flatten(1)
        assert isinstance(first, nn.Linear)
        of_x, of_y = first.weight.split([x.shape[1], classes], dim=1)
        hidden = F.linear(x, of_x, first.bias)[:, None] + of_y.T
        return self.layers[1:](hidden.flatten(0, 1)).view(-1, classes)
