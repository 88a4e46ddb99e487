"""A recipe: a whole experiment as settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn
from tyro.conf import Suppress

from energybased.data import DataSet, load_data
from energybased.errors import require
from energybased.objectives import Objective
from energybased.training import Phase, Settings


@dataclass(frozen=True)
class Recipe(Settings):
    """What all recipes share: the data and the budget. Subclasses add parts and phases.

    Args:
        recipe: its name.
        data: the name of a data set, or a path to your own: .npy, .npz or a folder of pictures.
        data_root: where the files of a named data set are; EBM_DATA and the cache if not given.
        size: scale and cut the pictures of your own folder to size x size.
        skip_broken: leave out pictures of your own that cannot be read.
        train_on_validation: train on the validation split as well; nothing is then chosen on it.
        classes: how many the model is conditional on, or tells apart; 0 is none, None as many as the data have.
        steps: updates.
        minutes: wall time, instead of a number of updates.
    """

    recipe: Suppress[str] = "recipe"
    data: str = "digits"
    data_root: str | None = None
    size: int | None = None
    skip_broken: bool = False
    train_on_validation: bool = False
    classes: int | None = 0
    steps: int = 1000
    minutes: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.minutes is None or self.minutes > 0, f"minutes must be positive, got {self.minutes}")
        require(self.size is None or self.size >= 4, f"size must be at least 4, got {self.size}")
        require(self.classes is None or self.classes >= 0, f"classes must not be negative, got {self.classes}")

    def fitted(self, data: DataSet) -> Self:
        """The recipe with its number of classes, if that was left to the data, which must have them."""
        recipe = self if self.classes is not None else replace(self, classes=data.classes)
        wanted, there = recipe.classes or 0, data.classes
        require(wanted == 0 or there > 0, f"{self.recipe} takes {wanted} classes, but {data.name} has no labels")
        require(wanted == 0 or there == wanted, f"{data.name} has {there} classes, the recipe takes {wanted}")
        return recipe

    def load_data(self) -> DataSet:
        return load_data(self.data, self.data_root, self.size, self.skip_broken)

    def parts(self, data: DataSet) -> Mapping[str, nn.Module]:
        """The untrained parts."""
        raise NotImplementedError

    def phases(self) -> list[Phase]:
        raise NotImplementedError

    def phase(self, objective: Objective) -> Phase:
        """One phase over the whole budget."""
        return Phase(objective, self.steps if self.minutes is None else None, self.minutes)

    def settled(self, parts: Mapping[str, nn.Module], examples: tuple[Tensor, ...]) -> Self:
        """The recipe with what it leaves to the machine decided, as the run will say and a resumed run obey."""
        return self

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person wants to know before training begins."""
        return ()

    def examples(self, data: DataSet) -> tuple[Tensor, ...]:
        """What is trained on: x `(n, *event)`, and the labels `(n,)` if there are classes."""
        splits = [data.train, data.validation] if self.train_on_validation and len(data.validation) else [data.train]
        x = torch.cat([split.x for split in splits]) if len(splits) > 1 else data.train.x
        labels = [split.y for split in splits if split.y is not None]
        return (x, torch.cat(labels)) if self.classes else (x,)
