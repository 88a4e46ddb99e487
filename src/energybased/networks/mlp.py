"""A multilayer perceptron with one output."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from energybased.errors import require


def check_condition(y: Tensor | None, classes: int) -> None:
    """A conditional network needs classes, an unconditional one takes none."""
    require(classes > 0 or y is None, "the network is unconditional, but a condition was given")
    require(classes == 0 or y is not None, f"the network is conditional on {classes} classes, but none was given")


class MLP(nn.Module):
    """Linear layers with SiLU between them; the class, if any, joins the input one-hot.

    Args:
        dim: entries of the flattened event.
        hidden: width of each hidden layer.
        classes: number of classes, 0 for an unconditional network.
        activation: between the layers.
    """

    one_hot: Tensor

    def __init__(
        self, dim: int, hidden: Sequence[int], classes: int = 0, activation: type[nn.Module] = nn.SiLU
    ) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("one_hot", torch.eye(classes), persistent=False)
        widths = [dim + classes, *hidden]
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), activation()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x `(batch, *event)`, y `(batch,)` of class numbers -> `(batch,)`."""
        x = x.flatten(1)
        check_condition(y, self.classes)
        if y is not None:
            x = torch.cat([x, self.one_hot[y].to(x.dtype)], dim=1)
        return self.layers(x).squeeze(1)
