"""Recipes that train a judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from tyro.conf import Suppress

from energybased.data import DataSet
from energybased.errors import require
from energybased.evaluation.judge import Judge
from energybased.objectives.cross_entropy import CrossEntropy
from energybased.recipes.recipe import Recipe
from energybased.training import Phase


@dataclass(frozen=True)
class JudgeRecipe(Recipe):
    """A classifier in whose features samples are compared with data.

    Args:
        widths: channels of each 3x3 convolution.
        strides: of each.
        norm: a batch norm after each.
        pool: strides are taken by a maximum over the convolution's outputs, not by the convolution.
        shift: pixels by which pictures are moved at random.
        mirror: whether half of the pictures are mirrored.
        cutout: side of a square of each picture that is blackened at random.
        smoothing: of the labels.
        precision: in which it is trained.
    """

    recipe: Suppress[str] = "judge"
    classes: int | None = None
    widths: tuple[int, ...] = (32, 64, 64)
    strides: tuple[int, ...] = (1, 2, 1)
    norm: bool = False
    pool: bool = False
    shift: int = 0
    mirror: bool = False
    cutout: int = 0
    smoothing: float = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.widths) == len(self.strides) > 0, "a judge needs a stride for each width")
        require(min(self.widths) >= 1 and min(self.strides) >= 1, "widths and strides must be positive")

    def parts(self, data: DataSet) -> Mapping[str, nn.Module]:
        require(data.is_image, f"a judge looks at pictures, and {data.name} holds {data.event}")
        require(data.classes > 0, f"a judge needs labels, and {data.name} has none")
        require(self.classes != 0, "a judge tells classes apart: classes must not be 0")
        torch.manual_seed(self.seed)
        return {"judge": self.build(data.event)}

    def build(self, event: tuple[int, ...]) -> Judge:
        """A judge in which weights can be loaded."""
        convolutions = tuple(zip(self.widths, self.strides, strict=True))
        return Judge(self.data, event, self.classes or 1, convolutions, self.norm, self.pool)

    def phases(self) -> list[Phase]:
        return [self.phase(CrossEntropy(self.shift, self.mirror, self.cutout, self.smoothing, self.precision))]
