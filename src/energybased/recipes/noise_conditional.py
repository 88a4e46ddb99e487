"""Recipes that train one energy for every level of noise, without chains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Union, cast

import torch
from torch import nn

from energybased import networks
from energybased.conditions import classes_of
from energybased.data import DataSet, DataSpec
from energybased.energies.class_in_trunk import ClassInTrunk
from energybased.energies.noise_conditional import NoiseConditional
from energybased.energy import NUMBER
from energybased.errors import require
from energybased.models import Sampler
from energybased.models.fitted import Fitted
from energybased.models.noise_conditional import NoiseConditionalModel
from energybased.models.scores import SCORES, ScoreBy, with_score
from energybased.objectives.denoising import Denoising
from energybased.objectives.denoising_score_matching import DenoisingScoreMatching
from energybased.objectives.distillation import Distillation
from energybased.objectives.level_classification import LevelClassification
from energybased.objectives.recovery_likelihood import RecoveryLikelihood
from energybased.recipes.network import AnyField, UNetField
from energybased.recipes.recipe import Recipe
from energybased.sampling import Underdamped
from energybased.settings import Hidden
from energybased.training import Phase

FITTED = slice(20_000)  # training examples whose mean and standard deviation the energy takes
DISTILLED_RATE = 0.5  # learning rate of the energy that is distilled, as a multiple of the denoiser's

Matching = Union[DenoisingScoreMatching, LevelClassification]
AnyLevelObjective = Union[DenoisingScoreMatching, LevelClassification, RecoveryLikelihood]


@dataclass(frozen=True)
class NoiseConditionalRecipe(Recipe):
    """An energy E(x | y, sigma), trained by denoising score matching, or by another objective over levels of noise.

    Args:
        network: settings of its network.
        class_in: where the network sees the class: in its last layers, where one pass gives the energies under all
            classes, or in its trunk, where each class takes a pass.
        levels: smallest and largest sigma, in the model's units.
        precision: dtype in which the network computes; float32 where bfloat16 is slower.
        objective: settings of the objective.
        denoiser: part of the budget, in updates or minutes, that trains a denoiser which need not be a gradient; the
            energy is then distilled from it. An update of the denoiser takes less than half of the time.
        noise: the level at which the model scores, classifies and restores.
        flow_levels: number of levels of the flow that samples.
        guidance: weight of guidance by class in samples; 1 for none.
        score_by: what `score` gives; see `models.scores`.
        sampler: settings of chains at the level `noise`; their steps grow in proportion at others.
    """

    recipe: Hidden[str] = "noise-conditional"
    network: AnyField = UNetField()
    class_in: Literal["last layers", "trunk"] = "last layers"
    levels: tuple[float, float] = (0.01, 20.0)
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    objective: AnyLevelObjective = field(default_factory=DenoisingScoreMatching)
    denoiser: float = 0.0
    noise: float = 0.1
    flow_levels: int = 18
    guidance: float = 1.0
    score_by: ScoreBy = "energy"
    sampler: Sampler = Sampler(Underdamped(0.07, 0.7), length=20)

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.levels
        require(0 < low < high < math.inf, f"levels are 0 < smallest < largest, got {self.levels}")
        require(low <= self.noise <= high, f"noise must be one of the levels {low:g} ... {high:g}, got {self.noise}")
        require(self.score_by in SCORES, f"score_by is one of {', '.join(SCORES)}, got {self.score_by!r}")
        known = self.class_in in ("last layers", "trunk")
        require(known, f"class_in is 'last layers' or 'trunk', got {self.class_in!r}")
        require(0 <= self.denoiser < 1, f"denoiser is a part of the budget in [0, 1), got {self.denoiser}")
        enough = not self.denoiser or self.minutes is not None or self.steps >= 2
        require(enough, f"a denoiser and then an energy need at least 2 steps, got {self.steps}")
        matching = not isinstance(self.objective, RecoveryLikelihood)
        require(matching or not self.denoiser, "a denoiser is the start of score matching: here, denoiser must be 0")
        number = isinstance(self.guidance, NUMBER) and math.isfinite(self.guidance)
        require(number, f"guidance must be a finite number, got {self.guidance!r}")
        whole = isinstance(self.flow_levels, int) and self.flow_levels >= 2
        require(whole, f"flow_levels must be a whole number of at least 2, got {self.flow_levels}")
        require(
            self.precision in ("float32", "bfloat16"), f"precision is 'float32' or 'bfloat16', got {self.precision!r}"
        )
        levelled = isinstance(self.objective, AnyLevelObjective.__args__)  # type: ignore[attr-defined]
        require(levelled, f"{type(self.objective).__name__} is no objective over levels of noise")

    def parts(self, data: DataSet) -> Mapping[str, nn.Module]:
        torch.manual_seed(self.seed)
        x = data.domain.encode(data.values(data.train, FITTED))
        spec = self.seen(data.spec)
        kind, network = self._kind(spec), self._network(spec)
        return {"energy": kind.fit(x, network, self.levels, classes_of(spec.conditions))}

    def build(self, spec: DataSpec) -> dict[str, nn.Module]:
        spec = self.seen(spec)
        kind, network = self._kind(spec), self._network(spec)
        return {"energy": kind.build(spec.event, network, self.levels, classes_of(spec.conditions))}

    def _kind(self, spec: DataSpec) -> type[NoiseConditional]:
        """The energy, by where its network sees the class."""
        return ClassInTrunk if self.class_in == "trunk" and spec.conditions else NoiseConditional

    def _network(self, spec: DataSpec) -> nn.Module:
        """The network for data whose conditions the model sees."""
        classes = classes_of(spec.conditions)
        require(classes > 0 or not spec.conditions, "an energy over levels of noise is conditional on one class alone")
        kind = self._kind(spec)
        network = self.network.build(spec.event, *kind.shapes(classes), classes if kind is ClassInTrunk else 0)
        return networks.BFloat16(network) if self.precision == "bfloat16" else network

    def phases(self, data: DataSet) -> list[Phase]:
        if not self.denoiser:
            return [self.phase(self.objective)]
        assert not isinstance(self.objective, RecoveryLikelihood)
        changes = {"time_score": 0.0}
        if self.class_in == "trunk":  # the logits take a pass of their own: they are learned from a trained denoiser
            changes["cross_entropy"] = 0.0
        first = matching_by(Denoising, self.objective, **changes)
        second = matching_by(Distillation, self.objective)
        if self.minutes is not None:
            minutes = self.denoiser * self.minutes
            phases = [Phase(first, None, minutes), Phase(second, None, self.minutes - minutes)]
        else:
            steps = min(max(round(self.denoiser * self.steps), 1), self.steps - 1)
            phases = [Phase(first, steps), Phase(second, self.steps - steps)]
        return [phases[0], replace(phases[1], restart_from_ema=("energy",), rates={"energy": DISTILLED_RATE})]

    def model(self, parts: Mapping[str, nn.Module], spec: DataSpec) -> NoiseConditionalModel:
        energy = cast(NoiseConditional, parts["energy"])
        return NoiseConditionalModel(
            energy.at(self.noise),
            spec,
            self.sampler,
            self.noise,
            self.seen(spec).conditions,
            self.origin(parts, spec),
            score_by=self.score_by,
            levels=energy,
            flow_levels=self.flow_levels,
            guidance=self.guidance,
        )

    def fitted(self, model: NoiseConditionalModel, data: DataSet) -> Fitted:
        rng = torch.Generator().manual_seed(self.seed)
        found: Fitted = with_score(model, self.score_by, data, rng).fitted
        return found


def matching_by(kind: type[DenoisingScoreMatching], objective: Matching, **changes: Any) -> Matching:
    """The objective with its score matching, whose settings may be changed, done by another class."""
    if isinstance(objective, LevelClassification):
        return replace(objective, matching=matching_by(kind, objective.matching, **changes))  # type: ignore[arg-type]
    return kind(**{**vars(objective), **changes})
