"""The recipe of a network and an objective, or phases, of the user."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import nn

from energybased.data import DataSet, DataSpec
from energybased.energies import Network, as_energy
from energybased.errors import UserError, require
from energybased.models import EnergyModel, Sampler
from energybased.models.class_terms import fit_class_terms
from energybased.models.fitted import Fitted
from energybased.networks.condition import ConditionEncoder
from energybased.recipes.recipe import Recipe
from energybased.settings import Given, Hidden, to_json
from energybased.training import Phase

log = logging.getLogger("energybased")
LENGTH = 10  # default length of a fresh chain, in multiples of the steps of a training chain


@dataclass(frozen=True)
class CustomRecipe(Recipe):
    """A network of the user with its objective, as `train(energy=...)` makes it.

    Args:
        energy: a module that maps x, or x and y, to `(batch,)`. A run stores only its name, and the module must be
            passed again to load the run.
        objective: the objective of the only phase.
        sampler: settings by which the trained model is sampled. If not given, these are the chains of the objective,
            ten times as long.
        stages: phases to train instead of the one phase of `objective`.
    """

    recipe: Hidden[str] = "custom"
    conditional: bool | None = None
    energy: Any = None
    objective: Any = None
    sampler: Sampler | None = None
    stages: Any = ()

    def resolve(self, data: DataSet) -> Self:
        if self.conditional is None and data.conditions and not takes_condition(self.energy):
            name = type(self.energy).__name__
            log.info("%s: %s takes no conditions, so those of the data are left out", data.name, name)
            return replace(self, conditional=False)
        return super().resolve(data)

    def build(self, spec: DataSpec) -> dict[str, nn.Module]:
        if isinstance(self.energy, Given):
            raise UserError(f"the run was trained on your own {self.energy.name}: pass it as energy=network")
        return {"energy": as_energy(self.energy)}

    def settings(self) -> Any:
        try:
            objective = to_json(self.objective)
        except UserError:  # the user passes it again, as the network
            objective = {"given": type(self.objective).__name__}
        return {**to_json(replace(self, objective=None, stages=())), "objective": objective}

    def phases(self, data: DataSet | None) -> list[Phase]:
        require(bool(self.stages) or self.objective is not None, "train needs an objective, or phases")
        return list(self.stages) or [self.phase(self.objective)]

    def model(self, parts: Mapping[str, nn.Module], spec: DataSpec) -> EnergyModel:
        conditions = self.seen(spec).conditions
        return EnergyModel(as_energy(parts["energy"]), spec, self.chains, self.data_noise, conditions)

    def fitted(self, model: EnergyModel, data: DataSet) -> Fitted:
        return Fitted(fit_class_terms(model, data, torch.Generator().manual_seed(self.seed)))

    @property
    def chains(self) -> Sampler | None:
        """Settings by which the model is sampled; None if neither the sampler nor the objective gives them."""
        kernel, steps = getattr(self.objective, "kernel", None), getattr(self.objective, "steps", None)
        if self.sampler is not None or kernel is None or steps is None:
            return self.sampler
        return Sampler(kernel, steps, LENGTH * steps)


def takes_condition(energy: nn.Module) -> bool:
    """Whether a network can be called with x and y, as far as its signatures and kinds of conditions say."""
    for module in (energy, *(m.module for m in energy.modules() if isinstance(m, Network))):
        try:
            inspect.signature(getattr(module, "forward", module)).bind(None, None)
        except TypeError:
            return False
        except ValueError:  # it has no signature
            continue
    encoders = [module for module in energy.modules() if isinstance(module, ConditionEncoder)]
    return not encoders or any(encoder.conditions for encoder in encoders)
