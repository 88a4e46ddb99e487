"""Guidance by class."""

from __future__ import annotations

import math

from torch import Tensor

from energybased.algebra import Composite
from energybased.energy import NUMBER, Condition, Energy, EnergyLike
from energybased.errors import UserError, require


class Guided(Composite):
    """w E(x | y) - (w - 1) E(x), where E(x) = -log sum_y exp(-E(x | y)) (Ho & Salimans 2021).

    For w > 1, the density prefers x of which the class is certain: it is proportional to p(x | y) p(y | x)^(w - 1). It
    takes one pass of an energy that has the energies under all classes at once, and two if E(x) is given.

    Args:
        energy: over x and the class.
        classes: number of classes.
        weight: w; 1 is the energy itself.
        free: E(x), if it is an energy of its own; summed over the classes if not given.

    Raises:
        UserError: if the weight is not finite.
    """

    def __init__(self, energy: EnergyLike, classes: int, weight: float, free: EnergyLike | None = None) -> None:
        super().__init__([energy] if free is None else [energy, free])
        require(classes >= 1, f"guidance needs classes, got {classes}")
        number = isinstance(weight, NUMBER) and math.isfinite(weight)
        require(number, f"the weight of guidance must be a finite number, got {weight!r}")
        self.classes, self.weight = classes, weight

    def rebuild(self, terms: list[Energy]) -> Energy:  # type: ignore[override]
        return Guided(terms[0], self.classes, self.weight, *terms[1:])

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        if not isinstance(y, Tensor) or y.is_floating_point():
            raise UserError("guidance needs class numbers (batch,)")
        if len(self.terms) == 2:
            return self.weight * self.terms[0](x, y) - (self.weight - 1) * self.terms[1](x)
        energies = self.terms[0].by_class(x, self.classes)
        own = energies.gather(1, y[:, None])[:, 0]
        return self.weight * own + (self.weight - 1) * (-energies).logsumexp(1)

    def extra_repr(self) -> str:
        return f"classes={self.classes}, weight={self.weight:g}"
