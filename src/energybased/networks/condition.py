"""Conditions as the input of a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from energybased.conditions import Classes, Conditions, tensors
from energybased.energy import Condition
from energybased.errors import require


class ConditionEncoder(nn.Module):
    """Encodes y as one vector per row, `(batch, width)`: classes one-hot, real vectors as (y - mean) / scale.

    Args:
        conditions: the kinds of y; empty for an unconditional network.
    """

    def __init__(self, conditions: Conditions) -> None:
        super().__init__()
        self.conditions = conditions
        self.width = sum(kind.width for kind in conditions)
        for i, kind in enumerate(conditions):
            if isinstance(kind, Classes):
                self.register_buffer(f"one_hot{i}", torch.eye(kind.count), persistent=False)
            else:
                mean, scale = (torch.tensor(v) if v else None for v in (kind.mean, kind.scale))
                self.register_buffer(f"mean{i}", torch.zeros(kind.width) if mean is None else mean, persistent=False)
                varying = torch.ones(kind.width) if scale is None else torch.where(scale > 0, scale, 1.0)
                self.register_buffer(f"scale{i}", varying, persistent=False)

    def forward(self, y: Condition | None, like: Tensor) -> Tensor:
        """y -> `(batch, width)`, in the dtype of `like`.

        Raises:
            UserError: if y does not have one tensor per kind, or a tensor has the wrong dtype or width.
        """
        parts = tensors(y)
        told = ", ".join(map(str, self.conditions)) or "nothing"
        require(
            len(parts) == len(self.conditions),
            f"the network is conditional on {told}, but {len(parts)} conditions were given",
        )
        encoded = []
        for i, (kind, part) in enumerate(zip(self.conditions, parts, strict=True)):
            if isinstance(kind, Classes):
                require(not part.is_floating_point(), f"the network is conditional on {kind}, got {part.dtype}")
                encoded.append(self.get_buffer(f"one_hot{i}")[part])
                continue
            flat = part.flatten(1) if part.ndim > 1 else part[:, None]
            fits = flat.shape[1] == kind.width and flat.is_floating_point()
            require(fits, f"the network is conditional on {kind}, got {tuple(part.shape)} of {part.dtype}")
            encoded.append((flat - self.get_buffer(f"mean{i}")) / self.get_buffer(f"scale{i}"))
        return torch.cat([part.to(like.dtype) for part in encoded], 1)
