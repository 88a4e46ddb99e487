"""Recipes that train a classifier and a density as one energy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self, cast

from torch import Generator, nn

from energybased.conditions import classes_of
from energybased.data import DataSet, DataSpec
from energybased.errors import require
from energybased.models import EnergyModel
from energybased.networks import Joint
from energybased.objectives import ContrastiveDivergence, JointEnergy, Objective
from energybased.recipes.energy import EnergyRecipe
from energybased.settings import Hidden


@dataclass(frozen=True)
class JointRecipe(EnergyRecipe):
    """A classifier whose logits are energies, E(x, y) = base(x) - f(x)_y (Grathwohl et al. 2020, JEM).

    Its network has one output per class. Chains of training follow the energy of x alone.

    Args:
        cross_entropy: weight of the cross entropy beside the contrastive divergence.
    """

    recipe: Hidden[str] = "joint"
    conditional: bool | None = True
    cross_entropy: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.cross_entropy < math.inf, f"cross_entropy must be positive, got {self.cross_entropy}")
        require(self.conditional is True, "a joint recipe classifies: it is conditional on the class")

    def resolve(self, data: DataSet) -> Self:
        require(data.classes > 1, f"{self.recipe} is trained on class labels, but {data.name} has none")
        return super().resolve(data)

    def learning(self, spec: DataSpec) -> Objective:
        found = super().learning(replace(spec, conditions=()))
        if self.objective is not None:
            return found
        return JointEnergy(cast(ContrastiveDivergence, found), classes_of(spec.conditions), self.cross_entropy)

    def class_terms(self, model: EnergyModel, data: DataSet, rng: Generator) -> tuple[float, ...]:
        return ()  # the cross entropy leaves none open

    def _bare(self, spec: DataSpec) -> nn.Module:
        return Joint(self.network.build(spec.event, (), classes_of(spec.conditions)))
