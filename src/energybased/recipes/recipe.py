"""A recipe: a whole experiment as settings."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from tyro.conf import Suppress

from energybased import networks
from energybased.data import DataSet, load_data
from energybased.energies import Network, Tilted
from energybased.energy import Energy
from energybased.errors import require
from energybased.objectives import ContrastiveDivergence
from energybased.recipes.network import AnyNetwork, Dense
from energybased.sampling import AnyKernel, ReplayBuffer, Underdamped
from energybased.training import Phase, Settings

ENOUGH = slice(20_000)  # examples that the base is fitted to


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
    """An energy over data, trained by contrastive divergence.

    Args:
        recipe: its name.
        data: the name of a data set, or a path to your own: .npy, .npz or a folder of pictures.
        data_root: where the files of a named data set are; EBM_DATA and the cache if not given.
        size: scale and cut the pictures of your own folder to size x size.
        skip_broken: leave out pictures of your own that cannot be read.
        whole: train on the validation split as well; nothing is then chosen on it.
        classes: how many the energy is conditional on; 0 is an unconditional energy, None as many as the data have.
        steps: updates.
        minutes: wall time, instead of a number of updates.
        network: maps x to an energy.
        base: what the network's energy is added to: a Gaussian fitted to the data with their noise, or nothing.
        precision: in which the network computes; states, weights and the base are in float32.
        sampler: the chains.
        buffer: where the chains of training rest.
        energy_l2: weight of the penalty on squared energies.
    """

    recipe: Suppress[str] = "energy"
    data: str = "digits"
    data_root: str | None = None
    size: int | None = None
    skip_broken: bool = False
    whole: bool = False
    classes: int | None = 0
    steps: int = 1000
    minutes: float | None = None
    network: AnyNetwork = Dense()
    base: Literal["gaussian", "none"] = "gaussian"
    precision: Literal["float32", "bfloat16"] = "float32"
    sampler: Sampler = Sampler()
    buffer: ReplayBuffer = ReplayBuffer(capacity=1024)
    energy_l2: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.minutes is None or self.minutes > 0, f"minutes must be positive, got {self.minutes}")
        require(self.size is None or self.size >= 4, f"size must be at least 4, got {self.size}")
        require(self.base in ("gaussian", "none"), f"base is 'gaussian' or 'none', got {self.base!r}")
        require(self.precision in ("float32", "bfloat16"), f"no such precision: {self.precision!r}")
        require(self.energy_l2 >= 0, f"energy_l2 must not be negative, got {self.energy_l2}")
        require(not self.based or self.data_noise > 0, "a Gaussian base needs data_noise > 0")
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

    def energy(self, data: DataSet) -> Energy:
        """The untrained energy, its base fitted to the first examples."""
        torch.manual_seed(self.seed)
        network = self._network(data.event)
        return Tilted.fit(data.train.pixels(ENOUGH), self.data_noise, network) if self.based else Network(network)

    def blank(self, event: tuple[int, ...]) -> Energy:
        """An energy over `event` in which weights can be loaded."""
        network, dim = self._network(event), math.prod(event)
        return Tilted(torch.zeros(dim), torch.eye(dim), network) if self.based else Network(network)

    @property
    def based(self) -> bool:
        return self.base == "gaussian"

    def _network(self, event: tuple[int, ...]) -> nn.Module:
        network = self.network.build(event, self.classes or 0)
        return networks.Half(network) if self.precision == "bfloat16" else network

    def phases(self) -> list[Phase]:
        objective = ContrastiveDivergence(
            self.sampler.kernel, self.sampler.steps, self.buffer, self.energy_l2, classes=self.classes or 0
        )
        return [Phase(objective, self.steps if self.minutes is None else None, self.minutes)]

    def load_data(self) -> DataSet:
        return load_data(self.data, self.data_root, self.size, self.skip_broken)

    def examples(self, data: DataSet) -> tuple[Tensor, ...]:
        """What is trained on: x `(n, *event)`, and the labels `(n,)` of a conditional energy."""
        splits = [data.train, data.validation] if self.whole else [data.train]
        x = torch.cat([split.x for split in splits]) if self.whole else data.train.x
        labels = [split.y for split in splits if split.y is not None]
        return (x, torch.cat(labels)) if self.classes else (x,)
