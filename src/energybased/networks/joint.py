"""A classifier read as a conditional energy."""

from __future__ import annotations

from torch import Tensor, nn

from energybased.errors import UserError, require


class Joint(nn.Module):
    """E(x, y) = -f(x)_y for the logits f(x) of a classifier (Grathwohl et al. 2020).

    Without its class, the energy of x is -log sum_y exp f(x)_y; see `algebra.Marginal`. All classes share one pass.

    Args:
        classifier: maps `(batch, *event)` to logits `(batch, classes)`.

    >>> import torch
    >>> Joint(nn.Linear(2, 3))(torch.zeros(4, 2), torch.tensor([0, 1, 2, 0])).shape
    torch.Size([4])
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x `(batch, *event)` and class numbers y `(batch,)` -> `(batch,)`.

        Raises:
            UserError: if y is missing.
        """
        if y is None:
            raise UserError("the network gives an energy to each class: give y, or sum over the classes")
        values: Tensor = self.classifier(x)
        return -values.gather(1, y[:, None]).squeeze(1)

    def by_class(self, x: Tensor, classes: int) -> Tensor:
        """Energies `(batch, classes)` of x `(batch, *event)` under each class."""
        values: Tensor = self.classifier(x)
        require(
            values.shape == (len(x), classes), f"logits of shape {tuple(values.shape)} do not fit {classes} classes"
        )
        return -values
