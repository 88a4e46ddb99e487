"""Recipes of latent models whose inference is an encoder without chains."""

from __future__ import annotations

from dataclasses import dataclass

from energybased.errors import require
from energybased.latent import Posterior
from energybased.recipes.latent import LatentRecipe
from energybased.settings import Hidden


@dataclass(frozen=True)
class AutoencoderRecipe(LatentRecipe):
    """A generator and an encoder, without chains on the posterior. Subclasses define the prior and the training."""

    recipe: Hidden[str] = "coded"
    encoder: bool = True
    stages: int = 1
    posterior: Posterior = Posterior(steps=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.encoder, "an autoencoder needs encoder=True")
        require(self.posterior.steps == 0, f"an autoencoder needs posterior.steps=0, got {self.posterior.steps}")
