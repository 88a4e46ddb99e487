"""A recipe: a whole experiment as settings."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from energybased.conditions import concatenated
from energybased.data import DataSet, DataSpec, Split, load_data
from energybased.devices import bfloat16_pays, find_device
from energybased.errors import require
from energybased.models import Model
from energybased.models.fitted import Fitted
from energybased.models.model import Origin
from energybased.objectives import Objective
from energybased.settings import Hidden, to_json
from energybased.training import Phase, Settings

log = logging.getLogger("energybased")


@dataclass(frozen=True)
class Recipe(Settings):
    """What all recipes share: the data and the budget. Subclasses add parts, phases and the model.

    Args:
        recipe: name of the recipe.
        data: name of a data set, or path to your own data: .npy, .npz, .csv, .parquet or a folder of pictures.
        data_root: folder with the files of a named data set; EBM_DATA and the cache if not given.
        label: column of a table, or array of a .npz file, that holds the labels. It is not part of x.
        size: scale and crop the pictures of your own folder to size x size.
        skip_broken: leave out pictures of your own that cannot be read.
        train_on_validation: train on the validation split as well. It can then not be used to choose settings.
        conditional: whether the model is conditional on the labels, or other conditions, of the data. None means
            that it is conditional if the data have conditions.
        steps: number of updates.
        minutes: wall time, instead of a number of updates.
    """

    recipe: Hidden[str] = "recipe"
    data: str = "digits"
    data_root: str | None = None
    label: str | None = None
    size: int | None = None
    skip_broken: bool = False
    train_on_validation: bool = False
    conditional: bool | None = False
    steps: int = 1000
    minutes: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.minutes is None or self.minutes > 0, f"minutes must be positive, got {self.minutes}")
        require(self.size is None or self.size >= 4, f"size must be at least 4, got {self.size}")

    def load_data(self) -> DataSet:
        """Loads the data that the settings name."""
        return self.prepare(load_data(self.data, self.data_root, self.size, self.skip_broken, self.label))

    def prepare(self, data: DataSet) -> DataSet:
        """The data with the splits of the recipe. The validation split may join the training split."""
        if not self.train_on_validation or not len(data.validation):
            return data
        a, b = data.train.take(), data.validation.take()
        return replace(data, train=Split(torch.cat([a.x, b.x]), concatenated(a.y, b.y)))

    def resolve(self, data: DataSet) -> Self:
        """The recipe with all settings filled in that depend on the data and the machine.

        A precision of bfloat16 becomes float32 where matrix products in bfloat16 are slower.
        A run stores the resolved recipe, and uses it again when it is resumed.

        Raises:
            UserError: if the recipe cannot be trained on these data.
        """
        recipe = self if self.conditional is not None else replace(self, conditional=bool(data.conditions))
        has = not recipe.conditional or bool(data.conditions)
        require(has, f"{self.recipe} is conditional, but {data.name} has no labels or other conditions")
        if getattr(recipe, "precision", "") == "bfloat16" and not bfloat16_pays(find_device(recipe.device)):
            log.info("%s computes in float32: on this machine, products in bfloat16 are slower", recipe.recipe)
            changes: dict[str, Any] = {"precision": "float32"}
            recipe = replace(recipe, **changes)
        return recipe

    def parts(self, data: DataSet) -> Mapping[str, nn.Module]:
        """The untrained parts, by name, for these data."""
        torch.manual_seed(self.seed)
        return self.build(self.seen(data.spec))

    def seen(self, spec: DataSpec) -> DataSpec:
        """The spec, without conditions if the model is not conditional."""
        return spec if self.conditional else replace(spec, conditions=())

    def build(self, spec: DataSpec) -> dict[str, nn.Module]:
        """Parts for data of this spec, into which weights can be loaded."""
        raise NotImplementedError

    def begun(self, parts: Mapping[str, nn.Module]) -> None:
        """Called once the parts have the weights of another model, before training. Undoes what only training sets."""

    def phases(self, data: DataSet) -> list[Phase]:
        """The phases of training."""
        raise NotImplementedError

    def model(self, parts: Mapping[str, nn.Module], spec: DataSpec) -> Model:
        """The model of trained parts."""
        raise NotImplementedError

    def fitted(self, model: Any, data: DataSet) -> Fitted | None:
        """What is fitted to the data when training has ended, and stored; None for models that need nothing.

        Args:
            model: what `model` returned for the trained parts.
            data: the data of the run.
        """
        return None

    def settings(self) -> Any:
        """The settings as JSON, which `read_recipe` reads.

        Raises:
            UserError: if a setting is of a class that cannot be found again by its name.
        """
        return to_json(self)

    def origin(self, parts: Mapping[str, nn.Module], spec: DataSpec) -> Origin:
        """What is stored with a model when it is exported."""
        return Origin(self.settings(), spec, parts)

    def systems(self) -> Mapping[str, Recipe]:
        """Recipes with which this one is compared, by name."""
        return {}

    def phase(self, objective: Objective) -> Phase:
        """One phase with the whole budget."""
        return Phase(objective, self.steps if self.minutes is None else None, self.minutes)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks to print before training begins."""
        return ()

    def next_commands(self, path: Path) -> str:
        """Commands to suggest after training."""
        return f"ebm sample {path}, ebm report {path}"
