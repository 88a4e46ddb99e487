"""Recipes that train a judge, which is a classifier for evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, cast

from torch import nn

from energybased.conditions import classes_of
from energybased.data import DataSet, DataSpec
from energybased.errors import require
from energybased.models import Judge
from energybased.networks.judge import JudgeNetwork
from energybased.objectives.cross_entropy import CrossEntropy
from energybased.recipes.recipe import Recipe
from energybased.settings import Hidden
from energybased.training import Phase


@dataclass(frozen=True)
class JudgeRecipe(Recipe):
    """A classifier in whose features samples are compared with data.

    Args:
        widths: number of output channels of each 3x3 convolution.
        strides: stride of each convolution.
        norm: put a batch norm after each convolution.
        pool: reduce the size by max pooling after a convolution instead of by its stride.
        shift: largest random shift of training pictures, in pixels.
        mirror: mirror each training picture left to right with probability 1/2.
        cutout: side, in pixels, of a random square that is set to black in each training picture.
        smoothing: label smoothing, in [0, 1).
        precision: dtype in which the judge computes during training; float32 where bfloat16 is slower.
    """

    recipe: Hidden[str] = "judge"
    conditional: bool | None = True
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

    def resolve(self, data: DataSet) -> Self:
        pictures = data.domain.view(data.event) == "pictures"
        require(pictures, f"a judge needs pictures, but examples of {data.name} have shape {data.event}")
        require(data.classes > 0, f"a judge needs labels, but {data.name} has none")
        return super().resolve(data)

    def build(self, spec: DataSpec) -> dict[str, nn.Module]:
        convolutions = tuple(zip(self.widths, self.strides, strict=True))
        classes = classes_of(spec.conditions)
        return {"judge": JudgeNetwork(spec.event, classes, convolutions, self.norm, self.pool)}

    def model(self, parts: Mapping[str, nn.Module], spec: DataSpec) -> Judge:
        return Judge(cast(JudgeNetwork, parts["judge"]), spec, self.origin(parts, spec))

    def next_commands(self, path: Path) -> str:
        return f"ebm report RUN --judge {path}"

    def phases(self, data: DataSet) -> list[Phase]:
        return [self.phase(CrossEntropy(self.shift, self.mirror, self.cutout, self.smoothing, self.precision))]
