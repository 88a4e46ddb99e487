"""Recipes of latent energy-based models, trained by maximum likelihood (Pang et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from energybased.errors import require
from energybased.latent import EnergyPrior, LatentMaximumLikelihood, ShortRun
from energybased.networks import BatchedMLP
from energybased.recipes.latent import LatentRecipe
from energybased.settings import Hidden
from energybased.training import Phase


@dataclass(frozen=True)
class LebmRecipe(LatentRecipe):
    """A generator and its prior, trained together with short chains on prior and posterior (Pang et al. 2020).

    Args:
        prior_sampler: settings of the chains on the prior, in training and afterwards.
    """

    recipe: Hidden[str] = "lebm"
    stages: int = 1
    prior_sampler: ShortRun = ShortRun()

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.stages == 1, f"the prior is one network: stages must be 1, got {self.stages}")
        require(self.posterior.steps >= 1, f"posterior.steps must be at least 1, got {self.posterior.steps}")

    def prior_network(self) -> nn.Module:
        return EnergyPrior(self.base, BatchedMLP(self.dim, self.ratio, 1).one(0), self.prior_sampler)

    def plan(self) -> list[Phase]:
        return [self.share(LatentMaximumLikelihood(self.posterior), 1.0)]
