"""Recipes that train an energy over data."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import torch
from torch import nn

from energybased import networks
from energybased.conditions import classes_of, mapped, rows_of, tensors
from energybased.data import DataSet, DataSpec
from energybased.devices import find_device
from energybased.energies import Network, Tilted, TiltedMixture, as_energy
from energybased.energy import Energy
from energybased.errors import require
from energybased.models import EnergyModel, Sampler
from energybased.models.class_terms import fit_class_terms
from energybased.models.fitted import Fitted
from energybased.models.scores import SCORES, ScoreBy, with_score
from energybased.objectives import ContrastiveDivergence, Objective
from energybased.recipes.network import AnyNetwork, Dense
from energybased.recipes.recipe import Recipe
from energybased.sampling import ReplayBuffer, fastest, fresh_starts
from energybased.settings import Hidden
from energybased.training import Phase

BASE_EXAMPLES = slice(20_000)  # the training examples to which the base is fitted
PER_COMPONENT = 10  # least training examples per entry of x for each Gaussian of a mixture


@dataclass(frozen=True)
class EnergyRecipe(Recipe):
    """An energy over data, trained by contrastive divergence, or by another objective.

    Args:
        network: settings of the network that maps x to an energy.
        base: "gaussian" adds the energy of a Gaussian fitted to the noisy data to that of the network; "mixture" adds
            that of a mixture of Gaussians, from which fresh chains start; "none" adds nothing.
        components: most Gaussians of a mixture. There are fewer for few data: each needs ten examples per entry of x.
        precision: dtype in which the network computes; float32 where bfloat16 is slower. States, weights and the
            base are in float32.
        sampler: settings of the chains.
        buffer: settings of the replay buffer.
        energy_l2: weight of the penalty on squared energies.
        score_by: what `score` gives; see `models.scores`. It is chosen by benchmarks/score_choice.py, which compares
            scores on flipped and inverted validation pictures.
        objective: what is minimised; contrastive divergence with the settings above if not given.
    """

    recipe: Hidden[str] = "energy"
    network: AnyNetwork = Dense()
    base: Literal["gaussian", "mixture", "none"] = "gaussian"
    components: int = 30
    precision: Literal["float32", "bfloat16"] = "float32"
    sampler: Sampler = Sampler()
    buffer: ReplayBuffer = ReplayBuffer(capacity=1024)
    energy_l2: float = 0.0
    score_by: ScoreBy = "energy"
    objective: Hidden[Any] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.base in ("gaussian", "mixture", "none"), f"base is 'gaussian', 'mixture' or 'none', got {self.base!r}"
        )
        require(self.components >= 1, f"components must be at least 1, got {self.components}")
        require(
            self.precision in ("float32", "bfloat16"), f"precision is 'float32' or 'bfloat16', got {self.precision!r}"
        )
        require(self.energy_l2 >= 0, f"energy_l2 must not be negative, got {self.energy_l2}")
        require(self.score_by in SCORES, f"score_by is one of {', '.join(SCORES)}, got {self.score_by!r}")
        score = SCORES[self.score_by]
        require(not score.noisy or self.data_noise > 0, f"the score {self.score_by!r} needs data_noise > 0")
        require(not score.based or self.base != "none", f"the score {self.score_by!r} needs a base")
        require(self.base == "none" or self.data_noise > 0, f"the base {self.base!r} needs data_noise > 0")
        require(
            self.batch_size <= self.buffer.capacity,
            f"batch_size {self.batch_size} is larger than buffer.capacity {self.buffer.capacity}",
        )

    def parts(self, data: DataSet) -> Mapping[str, nn.Module]:
        return {"energy": self.energy(data)}

    def energy(self, data: DataSet) -> Energy:
        """The untrained energy, with its base fitted to the first 20,000 training examples."""
        torch.manual_seed(self.seed)
        network = self._network(self.seen(data.spec))
        if self.base == "none":
            return Network(network)
        x = data.domain.encode(data.values(data.train, BASE_EXAMPLES))
        if self.base == "mixture":
            rng = torch.Generator().manual_seed(self.seed)
            return TiltedMixture.fit_mixture(x, self.components, self.data_noise, network, rng)
        return Tilted.fit(x, self.data_noise, network)

    def build(self, spec: DataSpec) -> dict[str, nn.Module]:
        network = self._network(self.seen(spec))
        dim = math.prod(spec.event)
        if self.base == "mixture":
            return {"energy": TiltedMixture.build_mixture(dim, self.components, network)}
        return {"energy": Tilted.build(dim, network) if self.base == "gaussian" else Network(network)}

    def _network(self, spec: DataSpec) -> nn.Module:
        network = self._bare(spec)
        return networks.BFloat16(network) if self.precision == "bfloat16" else network

    def _bare(self, spec: DataSpec) -> nn.Module:
        """The network, in the precision of its weights."""
        return self.network.build(spec.event, spec.conditions)

    def resolve(self, data: DataSet) -> Self:
        recipe = super().resolve(data)
        bounds = data.domain.bounds
        bounded = not self.buffer.images or (
            bounds is not None and getattr(self.sampler.kernel, "bounds", None) == bounds
        )
        require(bounded, "buffer.images stores pixels in [0, 1]: it needs pixels, and a kernel with bounds (0, 1)")
        uses_classes = recipe.buffer.by_class or recipe.buffer.relabel
        classes = classes_of(data.conditions) if recipe.conditional else 0
        if uses_classes and recipe.conditional and not classes:  # a buffer always stores other conditions
            recipe = replace(recipe, buffer=replace(recipe.buffer, by_class=False, relabel=False))
        if self.base == "mixture":
            components = min(self.components, len(data.train) // (PER_COMPONENT * math.prod(data.event)))
            recipe = replace(recipe, components=components) if components > 1 else replace(recipe, base="gaussian")
        return recipe._resolve_machine(data)

    def _resolve_machine(self, data: DataSet) -> Self:
        """The recipe with a precision that works on the device, and the faster engine for "auto"."""
        if self.precision == "float32" and self.sampler.engine != "auto":
            return self
        if self.sampler.engine == "auto" and self.sampler.dropout:  # random numbers are not compiled
            return replace(self, sampler=replace(self.sampler, engine="eager"))
        device, rng = find_device(self.device), torch.Generator().manual_seed(self.seed)
        energy = as_energy(self.parts(data)["energy"]).to(device)
        dtype = torch.get_default_dtype()
        start = fresh_starts(energy, data.domain, self.batch_size, data.event, rng, dtype).to(device)
        rows = torch.arange(self.batch_size) % len(data.train)
        y = mapped(rows_of(data.train.take(rows).y, slice(None)), lambda part: part.to(device))
        y = y if self.conditional else None
        for network in (m for m in energy.modules() if isinstance(m, networks.BFloat16)):
            fault = network.fault(start, y)  # type: ignore[arg-type]
            if fault is not None:
                warnings.warn(f"the network runs in float32: in bfloat16, {fault}", stacklevel=2)
                return replace(self, precision="float32")._resolve_machine(data)
        if self.sampler.engine != "auto":
            return self
        bound = energy if y is None else energy.given(*tensors(y))
        engine = fastest(bound, start, self.sampler.kernel, self.sampler.steps)
        return replace(self, sampler=replace(self.sampler, engine=engine))

    @property
    def notes(self) -> tuple[str, ...]:
        compiled = self.sampler.resolved_engine == "compiled"
        return ("chains are compiled: the first update takes seconds to a minute",) if compiled else ()

    def phases(self, data: DataSet) -> list[Phase]:
        return [self.phase(self.learning(data.spec))]

    def learning(self, spec: DataSpec) -> Objective:
        """The objective for data of this spec."""
        if self.objective is not None:
            objective: Objective = self.objective
            return objective
        return ContrastiveDivergence(
            self.sampler.kernel,
            self.sampler.steps,
            self.buffer,
            self.energy_l2,
            self.sampler.dropout,
            classes_of(self.seen(spec).conditions),
            self.sampler.resolved_engine,
        )

    def model(self, parts: Mapping[str, nn.Module], spec: DataSpec) -> EnergyModel:
        energy, conditions = as_energy(parts["energy"]), self.seen(spec).conditions
        origin = self.origin(parts, spec)
        return EnergyModel(energy, spec, self.sampler, self.data_noise, conditions, origin, score_by=self.score_by)

    def fitted(self, model: EnergyModel, data: DataSet) -> Fitted:
        rng = torch.Generator().manual_seed(self.seed)
        weighed = replace(model, fitted=Fitted(self.class_terms(model, data, rng)))
        found: Fitted = with_score(weighed, self.score_by, data, rng).fitted
        return found

    def class_terms(self, model: EnergyModel, data: DataSet, rng: torch.Generator) -> tuple[float, ...]:
        """The terms of the classes that training has left open; see `models.class_terms`."""
        return fit_class_terms(model, data, rng)
