"""Recipes that train a generator with a prior over its latent vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

import torch
from torch import nn

from energybased.data import DataSet, DataSpec
from energybased.data.holdout import hold_out
from energybased.devices import find_device
from energybased.energies import Analytic, StandardNormal
from energybased.errors import require
from energybased.latent import Posterior, StagedPrior
from energybased.models import LatentModel
from energybased.models.latent import LatentScoreBy as ScoreBy
from energybased.networks import BatchedMLP, BFloat16
from energybased.objectives import Objective
from energybased.recipes.network import AnyCoder, DenseCoder
from energybased.recipes.recipe import Recipe
from energybased.settings import Hidden
from energybased.training import Phase

MOMENTS = 0.02  # fraction of the budget in which a Gaussian base or a mixture is fitted
Done = Callable[[dict[str, float]], bool]


@dataclass(frozen=True)
class LatentRecipe(Recipe):
    """What all recipes of latent models share: generator, prior and inference. Subclasses define the training.

    Args:
        dim: number of entries of a latent vector.
        coder: settings of the networks of generator and encoder.
        encoder: train an encoder, at whose samples the chains on the posterior start.
        ratio: widths of the hidden layers of each network of the prior.
        stages: number of networks of the prior.
        prior_rate: learning rate of the prior, in multiples of that of generator and encoder.
        posterior: settings of the chains on the posterior.
        precision: dtype in which the generator computes; float32 where bfloat16 is slower. Latent vectors, weights and
            the prior are in float32.
        score_sigma: standard deviation of x around g(z) in scores of the trained model; posterior.sigma if not given.
        score_by: energy of z in scores: that of the prior ("joint"), or that of the prior minus its base ("ratio").
        holdout_class: a class that is left out of training, and is out of distribution in the test split.
        pooled_split: the test split has all examples of this class and a fifth of all others (Zenati et al. 2018).
    """

    recipe: Hidden[str] = "latent"
    dim: int = 16
    coder: AnyCoder = DenseCoder()
    encoder: bool = False
    ratio: tuple[int, ...] = (200, 200)
    stages: int = 3
    prior_rate: float = 1.0
    posterior: Posterior = Posterior()
    precision: Literal["float32", "bfloat16"] = "float32"
    score_sigma: float | None = None
    score_by: ScoreBy = "joint"
    holdout_class: int | None = None
    pooled_split: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.dim >= 1, f"dim must be at least 1, got {self.dim}")
        require(len(self.ratio) > 0 and min(self.ratio) >= 1, f"ratio must be widths of layers, got {self.ratio}")
        require(
            self.precision in ("float32", "bfloat16"), f"precision is 'float32' or 'bfloat16', got {self.precision!r}"
        )
        require(self.stages >= 1, f"stages must be at least 1, got {self.stages}")
        require(0 < self.prior_rate < math.inf, f"prior_rate must be positive, got {self.prior_rate}")
        require(self.score_sigma is None or 0 < self.score_sigma < math.inf, "score_sigma must be positive")
        require(self.score_by in get_args(ScoreBy), f"score_by is 'joint' or 'ratio', got {self.score_by!r}")
        require(not self.conditional, "a latent model is not conditional")
        require(not self.pooled_split or self.holdout_class is not None, "pooled_split needs a holdout_class")
        require(self.posterior.steps > 0 or self.encoder, "without an encoder, posterior.steps must be at least 1")

    def prepare(self, data: DataSet) -> DataSet:
        data = super().prepare(data)
        return data if self.holdout_class is None else hold_out(data, self.holdout_class, self.pooled_split)

    def build(self, spec: DataSpec) -> dict[str, nn.Module]:
        event = tuple(spec.event)
        generator = self.coder.generator(self.dim, spec)
        output = tuple(generator(torch.zeros(1, self.dim)).shape[1:])
        require(output == event, f"the generator makes {output}, but examples of {self.data} are {event}")
        generator = BFloat16(generator) if self.precision == "bfloat16" else generator
        parts: dict[str, nn.Module] = {"prior": self.prior_network(), "generator": generator}
        return {**parts, "encoder": self.coder.encoder(self.dim, event)} if self.encoder else parts

    def prior_network(self) -> nn.Module:
        """The untrained prior, a `latent.Prior`."""
        return StagedPrior(self.base, BatchedMLP(self.dim, self.ratio, self.stages))

    def begun(self, parts: Mapping[str, nn.Module]) -> None:
        if isinstance(parts["prior"], StagedPrior):
            parts["prior"].active.zero_()  # a stage counts as learned once this training has learned it

    def model(self, parts: Mapping[str, nn.Module], spec: DataSpec) -> LatentModel:
        joined, p = self.join(parts), self.posterior
        generator, prior, encoder = (joined.get(name) for name in ("generator", "prior", "encoder"))
        inference, scores = (p.sigma, p.kernel, p.steps, encoder), (self.score_sigma, self.score_by)
        return LatentModel(generator, prior, *inference, *scores, spec, self.origin(parts, spec))  # type: ignore[arg-type]

    def join(self, parts: Mapping[str, nn.Module]) -> Mapping[str, nn.Module]:
        """Generator, prior and encoder of trained parts."""
        return parts

    @property
    def base(self) -> Analytic:
        """The base of the prior."""
        return StandardNormal(self.dim)

    def resolve(self, data: DataSet) -> Self:
        recipe = super().resolve(data)
        if recipe.posterior.engine != "auto" or recipe.posterior.steps == 0:
            return recipe
        device, rng = find_device(self.device), torch.Generator().manual_seed(self.seed)
        generator = recipe.parts(data)["generator"].to(device)
        x = data.domain.start(self.batch_size, data.event, rng, torch.get_default_dtype()).to(device)
        start = torch.randn(self.batch_size, self.dim, generator=rng).to(device)
        engine = recipe.posterior.fastest(recipe.base.to(device), generator, x, start)
        return replace(recipe, posterior=replace(recipe.posterior, engine=engine))

    def phases(self, data: DataSet) -> list[Phase]:
        phases = self.plan()
        if self.minutes is not None or len(phases) == 1:
            return phases
        # Rounding changes the sum of the steps. The first phase, whose updates all sample z+, takes the difference.
        draws = [(phase.steps or 0) // getattr(phase.objective, "ratio_updates_per_draw", 1) for phase in phases]
        first = phases[0]
        return [replace(first, steps=max(1, (first.steps or 0) + self.steps - sum(draws))), *phases[1:]]

    def plan(self) -> list[Phase]:
        """The phases, each with its share of the budget."""
        raise NotImplementedError

    def share(
        self,
        objective: Objective,
        part: float,
        restart: tuple[str, ...] = (),
        done: Done | None = None,
        every: int = 1,
    ) -> Phase:
        """A phase with a fraction `part` of the budget; a budget in steps is multiplied by `every`."""
        steps = max(1, round(part * self.steps * every)) if self.minutes is None else None
        minutes = None if self.minutes is None else part * self.minutes
        rates = dict.fromkeys(self.priors, self.prior_rate)
        return Phase(objective, steps, minutes, done=done, restart_from_ema=restart, rates=rates)

    def afterwards(self, objective: Objective, part: float, done: Done | None = None, every: int = 1) -> Phase:
        """A phase after the training of the generator. It starts from the averaged weights, which the model has."""
        return self.share(objective, part, (*self.priors, *self.rest), done, every)

    @property
    def priors(self) -> tuple[str, ...]:
        """Names of the parts that make up the prior."""
        return ("prior",)

    @property
    def rest(self) -> tuple[str, ...]:
        """Names of all other parts."""
        return ("generator", "encoder") if self.encoder else ("generator",)
