"""Recipes of a generator with a prior that is learned in stages (Xiao & Han 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from energybased.energies import Analytic, Gaussian, StandardNormal
from energybased.errors import require
from energybased.latent import LatentStage, MomentMatching, PosteriorReconstruction, StageRatio, stage_finished
from energybased.latent.objectives.latent_stage import POOL, ROWS
from energybased.recipes.latent import MOMENTS, LatentRecipe
from energybased.recipes.recipe import Recipe
from energybased.sampling import MALA, AnyKernel
from energybased.settings import Hidden
from energybased.training import Phase

FROZEN_POOL, FROZEN_ROWS = 20_000, 500  # with a frozen generator, old samples of the posterior stay valid


@dataclass(frozen=True)
class StagedRecipe(LatentRecipe):
    """A generator and its prior, trained together in stages (Xiao & Han 2022).

    With one stage, the prior is learned by noise-contrastive estimation (Gutmann & Hyvärinen 2010).

    Args:
        first_fraction: fraction of the budget for the first phase. The other stages share the rest equally.
        pretrain_generator: train the generator alone in the first phase, under N(0, I), instead of with the first
            stage.
        moment_matched: after the first phase, give the base the mean and covariance of posterior samples. The base is
            N(0, I) otherwise.
        frozen_stages: number of last stages that are trained without changing generator and encoder.
        ratio_updates_per_draw: updates of the ratio per draw from the posterior, in all phases but the first. `steps`
            counts draws.
        kernel: moves the persistent chains on the prior.
        prior_steps: transitions of these chains per update. With 0, each stage has a fixed set of annealed samples.
        persistent_chains: number of persistent chains.
        restart: probability that a visited chain starts anew at a sample of the base; 1 gives short runs.
    """

    recipe: Hidden[str] = "staged"
    first_fraction: float = 0.4
    pretrain_generator: bool = False
    moment_matched: bool = False
    frozen_stages: int = 0
    ratio_updates_per_draw: int = 1
    kernel: AnyKernel = MALA(0.2)
    prior_steps: int = 3
    persistent_chains: int = 10_000
    restart: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.first_fraction < 1, f"first_fraction must be in (0, 1), got {self.first_fraction}")
        require(self.pretrain_generator or not self.moment_matched, "moment_matched needs pretrain_generator")
        require(
            0 <= self.frozen_stages <= self.stages,
            f"frozen_stages must be in 0 ... {self.stages} stages, got {self.frozen_stages}",
        )
        require(
            self.pretrain_generator or self.frozen_stages < self.stages,
            "if all stages are frozen, pretrain_generator must be set",
        )
        require(
            self.ratio_updates_per_draw >= 1,
            f"ratio_updates_per_draw must be at least 1, got {self.ratio_updates_per_draw}",
        )
        require(self.prior_steps >= 0, f"prior_steps must not be negative, got {self.prior_steps}")
        require(0 <= self.restart <= 1, f"restart must be a probability, got {self.restart}")
        require(
            self.prior_steps > 0 or self.restart == 0, "restart needs prior_steps: chains that start anew must move"
        )
        require(self.persistent_chains >= 1, f"persistent_chains must be at least 1, got {self.persistent_chains}")
        require(self.posterior.steps >= 1, f"posterior.steps must be at least 1, got {self.posterior.steps}")
        options: Any = getattr(self.optimizer, "options", {})
        decay = getattr(self.optimizer, "weight_decay", 0.0) or options.get("weight_decay", 0.0)
        require(decay == 0, "weight_decay must be 0: it would change learned stages")

    @property
    def base(self) -> Analytic:
        if not self.moment_matched:
            return StandardNormal(self.dim)
        return Gaussian(torch.zeros(self.dim, device="cpu"), torch.eye(self.dim, device="cpu"))

    def systems(self) -> Mapping[str, Recipe]:
        from energybased.recipes.systems import SYSTEMS, system  # imported here, because that module imports this one

        return {name: system(name, self) for name in SYSTEMS}

    def plan(self) -> list[Phase]:
        count, rest = self.pretrain_generator + self.stages, 1 - MOMENTS * self.moment_matched
        shares = [rest]
        if count > 1:
            shares = [rest * self.first_fraction, *[rest * (1 - self.first_fraction) / (count - 1)] * (count - 1)]
        phases = [self.share(PosteriorReconstruction(self.posterior), shares[0])] if self.pretrain_generator else []
        if self.moment_matched:
            phases.append(self.afterwards(MomentMatching(self.posterior), MOMENTS))
        for k, share in enumerate(shares[self.pretrain_generator :]):
            ratio = StageRatio(k, self.kernel, self.prior_steps, self.persistent_chains, self.restart, saturated=0.0)
            frozen = self.stages - k <= self.frozen_stages
            every = self.ratio_updates_per_draw if k or self.pretrain_generator else 1
            pool, rows = (FROZEN_POOL, FROZEN_ROWS) if frozen else (POOL, ROWS)
            learning = LatentStage(ratio, self.posterior, not frozen, pool, min(rows, self.persistent_chains), every)
            # The generator trains for the whole budget of the phase, so a finished stage does not end the phase.
            together = self.share(learning, share, ("prior",), every=every)
            phases.append(self.afterwards(learning, share, stage_finished, every) if frozen else together)
        return phases
