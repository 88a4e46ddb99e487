"""A recipe: a whole experiment as settings."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from tyro.conf import Suppress

from energybased import networks
from energybased.data import DataSet
from energybased.energies import Tilted
from energybased.energy import Energy
from energybased.errors import require
from energybased.objectives import ContrastiveDivergence
from energybased.sampling import AnyKernel, ReplayBuffer, Underdamped
from energybased.training import Phase, Settings


@dataclass(frozen=True)
class Sampler:
    """The chains of training, and of sampling afterwards.

    Args:
        kernel: one transition.
        steps: transitions an update of training.
        length: transitions of a fresh chain when the trained model is sampled.
    """

    kernel: AnyKernel = Underdamped(0.3)
    steps: int = 20
    length: int = 500

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"sampler.steps must be at least 1, got {self.steps}")
        require(self.length >= 1, f"sampler.length must be at least 1, got {self.length}")


@dataclass(frozen=True)
class EnergyRecipe(Settings):
    """An energy over data: a Gaussian tilted by a multilayer perceptron, trained by contrastive divergence.

    Args:
        recipe: its name.
        data: the name of a data set, or a path to your own: .npy, .npz or a folder of pictures.
        classes: how many the energy is conditional on; 0 is an unconditional energy, None as many as the data have.
        steps: updates.
        minutes: wall time, instead of a number of updates.
        hidden: widths of the network's hidden layers.
        sampler: the chains.
        buffer: where the chains of training rest.
        energy_l2: weight of the penalty on squared energies.
    """

    recipe: Suppress[str] = "energy"
    data: str = "digits"
    classes: int | None = 0
    steps: int = 1000
    minutes: float | None = None
    hidden: tuple[int, ...] = (256, 256)
    sampler: Sampler = Sampler()
    buffer: ReplayBuffer = ReplayBuffer(capacity=1024)
    energy_l2: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.minutes is None or self.minutes > 0, f"minutes must be positive, got {self.minutes}")
        require(len(self.hidden) > 0 and min(self.hidden) >= 1, f"hidden must be widths of layers, got {self.hidden}")
        require(self.energy_l2 >= 0, f"energy_l2 must not be negative, got {self.energy_l2}")
        require(self.classes is None or self.classes >= 0, f"classes must not be negative, got {self.classes}")
        require(
            not self.buffer.images or getattr(self.sampler.kernel, "bounds", None) == (0.0, 1.0),
            "buffer.images keeps pixels of [0, 1] alone: it needs a kernel with bounds (0, 1)",
        )
        require(
            self.batch_size <= self.buffer.capacity,
            f"batch_size {self.batch_size} is larger than buffer.capacity {self.buffer.capacity}",
        )

    def fitted(self, data: DataSet) -> EnergyRecipe:
        """The recipe with its number of classes, if that was left to the data."""
        recipe = self if self.classes is not None else replace(self, classes=data.classes)
        wanted, there = recipe.classes or 0, data.classes
        require(
            wanted == 0 or there > 0, f"the recipe is conditional on {wanted} classes, but {data.name} has no labels"
        )
        require(wanted == 0 or there <= wanted, f"{data.name} has {there} classes, the recipe takes {wanted}")
        return recipe

    def energy(self, x: Tensor) -> Energy:
        """The untrained energy, its base fitted to x `(n, *event)`."""
        torch.manual_seed(self.seed)
        return Tilted.fit(x, self.data_noise, self.network(x[0].numel()))

    def blank(self, event: tuple[int, ...]) -> Energy:
        """An energy over `event` in which weights can be loaded."""
        dim = math.prod(event)
        return Tilted(torch.zeros(dim), torch.eye(dim), self.network(dim))

    def network(self, dim: int) -> nn.Module:
        return networks.MLP(dim, self.hidden, self.classes or 0)

    def phases(self) -> list[Phase]:
        objective = ContrastiveDivergence(
            self.sampler.kernel, self.sampler.steps, self.buffer, self.energy_l2, classes=self.classes or 0
        )
        return [Phase(objective, self.steps if self.minutes is None else None, self.minutes)]

    def examples(self, data: DataSet) -> tuple[Tensor, ...]:
        """What is trained on: x `(n, *event)`, and the labels `(n,)` of a conditional energy."""
        if self.classes and data.train.y is not None:
            return data.train.x, data.train.y
        return (data.train.x,)
