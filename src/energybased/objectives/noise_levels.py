"""What the objectives of energies over levels of noise ask of an energy and a batch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from energybased.energies.noise_conditional import NoiseConditional
from energybased.errors import UserError, require
from energybased.objectives.objective import Batch


def levels_of(energy: nn.Module) -> NoiseConditional:
    """The energy, which must have levels of noise.

    Raises:
        UserError: if it has none.
    """
    require(isinstance(energy, NoiseConditional), "this objective needs an energy with levels of noise")
    assert isinstance(energy, NoiseConditional)
    return energy


def labels_of(energy: NoiseConditional, batch: Batch) -> Tensor | None:
    """The class numbers of a batch, `(batch,)`; None if the energy has no classes.

    Raises:
        UserError: if it has, and the batch has no labels.
    """
    if not energy.classes:
        return None
    if not isinstance(batch.y, Tensor) or batch.y.is_floating_point():
        raise UserError("the energy is conditional on the class, but the batch has no class labels")
    return batch.y


def class_entropy(energy: NoiseConditional, energies: Tensor | None, v: Tensor, sigma: Tensor, y: Tensor) -> Tensor:
    """The cross entropy of the labels and of what the energy says of the class, 0-d.

    Args:
        energy: the energy, which has classes.
        energies: under each class, `(batch, classes)`, whose negatives are the logits; None if the logits take a pass
            of their own.
        v: examples with noise, `(batch, *event)`.
        sigma: the levels of their noise, `(batch,)`.
        y: their labels, `(batch,)`.
    """
    logits = energy.class_logits(v.detach(), sigma.detach()) if energies is None else -energies
    return F.cross_entropy(logits, y)
