"""Recipes that train an energy over data."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from tyro.conf import Suppress

from energybased import networks
from energybased.data import DataSet
from energybased.energies import Network, Tilted, as_energy
from energybased.energy import Energy
from energybased.errors import require
from energybased.objectives import ContrastiveDivergence
from energybased.recipes.network import AnyNetwork, Dense
from energybased.recipes.recipe import Recipe
from energybased.sampling import AnyKernel, Engine, ReplayBuffer, Underdamped, fastest
from energybased.training import Phase

ENOUGH = slice(20_000)  # examples that the base is fitted to


@dataclass(frozen=True)
class Sampler:
    """The chains of training, and of sampling afterwards.

    Args:
        kernel: one transition.
        steps: transitions an update of training.
        length: transitions of a fresh chain when the trained model is sampled.
        denoise: how often the noise of the data is taken off the end of a chain; see `tasks.denoise`.
        dropout: run the chains of training with dropout on.
        engine: how chains are computed: step by step; compiled, which takes seconds to begin; or whichever a trial
            before training finds faster.
    """

    kernel: AnyKernel = Underdamped(0.3)
    steps: int = 20
    length: int = 500
    denoise: int = 1
    dropout: bool = False
    engine: Literal["auto", "eager", "compiled"] = "eager"

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"sampler.steps must be at least 1, got {self.steps}")
        require(self.length >= 1, f"sampler.length must be at least 1, got {self.length}")
        require(self.engine in ("auto", "eager", "compiled"), f"no such engine: {self.engine!r}")
        require(self.denoise >= 0, f"sampler.denoise must not be negative, got {self.denoise}")


@dataclass(frozen=True)
class EnergyRecipe(Recipe):
    """An energy over data, trained by contrastive divergence.

    Args:
        network: maps x to an energy.
        base: what the network's energy is added to: a Gaussian fitted to the data with their noise, or nothing.
        precision: in which the network computes; states, weights and the base are in float32.
        sampler: the chains.
        buffer: where the chains of training rest.
        energy_l2: weight of the penalty on squared energies.
    """

    recipe: Suppress[str] = "energy"
    network: AnyNetwork = Dense()
    base: Literal["gaussian", "none"] = "gaussian"
    precision: Literal["float32", "bfloat16"] = "float32"
    sampler: Sampler = Sampler()
    buffer: ReplayBuffer = ReplayBuffer(capacity=1024)
    energy_l2: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.base in ("gaussian", "none"), f"base is 'gaussian' or 'none', got {self.base!r}")
        require(self.precision in ("float32", "bfloat16"), f"no such precision: {self.precision!r}")
        require(self.energy_l2 >= 0, f"energy_l2 must not be negative, got {self.energy_l2}")
        require(not self.based or self.data_noise > 0, "a Gaussian base needs data_noise > 0")
        require(
            not self.buffer.images or getattr(self.sampler.kernel, "bounds", None) == (0.0, 1.0),
            "buffer.images keeps pixels of [0, 1] alone: it needs a kernel with bounds (0, 1)",
        )
        require(
            self.batch_size <= self.buffer.capacity,
            f"batch_size {self.batch_size} is larger than buffer.capacity {self.buffer.capacity}",
        )

    def parts(self, data: DataSet) -> Mapping[str, nn.Module]:
        return {"energy": self.energy(data)}

    def energy(self, data: DataSet) -> Energy:
        """The untrained energy, its base fitted to the first examples."""
        torch.manual_seed(self.seed)
        network = self._network(data.event)
        return Tilted.fit(data.train.pixels(ENOUGH), self.data_noise, network) if self.based else Network(network)

    def build(self, event: tuple[int, ...]) -> Energy:
        """An energy over `event` in which weights can be loaded."""
        network = self._network(event)
        return Tilted.build(math.prod(event), network) if self.based else Network(network)

    @property
    def based(self) -> bool:
        return self.base == "gaussian"

    def _network(self, event: tuple[int, ...]) -> nn.Module:
        network = self.network.build(event, self.classes or 0)
        return networks.BFloat16(network) if self.precision == "bfloat16" else network

    def settled(self, parts: Mapping[str, nn.Module], examples: tuple[Tensor, ...]) -> EnergyRecipe:
        energy = as_energy(parts["energy"])
        start = torch.rand(
            (self.batch_size, *examples[0].shape[1:]), generator=torch.Generator().manual_seed(self.seed)
        )
        y = torch.arange(self.batch_size) % self.classes if self.classes else None
        for half in (m for m in energy.modules() if isinstance(m, networks.BFloat16)):
            fault = half.fault(start, y)
            if fault is not None:
                warnings.warn(f"the network runs in float32: in bfloat16, {fault}", stacklevel=2)
                return replace(self, precision="float32")
        if self.sampler.engine != "auto":
            return self
        if self.sampler.dropout:  # draws random numbers in the energy, which a program cannot
            return replace(self, sampler=replace(self.sampler, engine="eager"))
        engine = fastest(energy if y is None else energy.given(y), start, self.sampler.kernel, self.sampler.steps)
        return replace(self, sampler=replace(self.sampler, engine=engine))

    @property
    def engine(self) -> Engine:
        """The engine of its chains; one that was never tried for is eager."""
        return "compiled" if self.sampler.engine == "compiled" else "eager"

    @property
    def notes(self) -> tuple[str, ...]:
        return ("chains are compiled: the first update takes seconds to a minute",) if self.engine == "compiled" else ()

    def phases(self) -> list[Phase]:
        objective = ContrastiveDivergence(
            self.sampler.kernel,
            self.sampler.steps,
            self.buffer,
            self.energy_l2,
            dropout=self.sampler.dropout,
            classes=self.classes or 0,
            engine=self.engine,
        )
        return [self.phase(objective)]
