"""Recipes of variational autoencoders with a standard normal prior, or a prior that is learned afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from torch import nn

from energybased.errors import require
from energybased.latent import LatentDiscrepancy, LatentStage, StageRatio, Telescope
from energybased.objectives import Elbo, Objective
from energybased.recipes.autoencoder import AutoencoderRecipe
from energybased.sampling import MALA
from energybased.settings import Hidden
from energybased.training import Phase

LearnedBy = Literal["normal", "nce", "telescope", "discrepancy"]


@dataclass(frozen=True)
class VaeRecipe(AutoencoderRecipe):
    """A variational autoencoder (Kingma & Welling 2014), whose prior can be learned afterwards.

    Args:
        prior: "normal" for N(0, I); "nce" for one ratio between samples of the encoder and of the base (Aneja et al.
            2021); "telescope" for ratios between waymarks (Rhodes et al. 2020); or "discrepancy" for one network by
            energy discrepancy (Schröder et al. 2023).
        magnitude: weight of the noisier waymark, see `Telescope`; above 1 for noise-intensified telescoping (Yu et al.
            2024).
        first_fraction: fraction of the budget for the autoencoder, if a prior is learned afterwards.
    """

    recipe: Hidden[str] = "vae"
    prior: LearnedBy = "normal"
    magnitude: float = 1.0
    first_fraction: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.prior in get_args(LearnedBy), f"prior is one of {', '.join(get_args(LearnedBy))}, got {self.prior!r}"
        )
        fits = self.prior == "telescope" or self.stages == 1
        require(fits, f"only a telescope has stages: with prior {self.prior!r} stages must be 1, got {self.stages}")
        require(self.magnitude == 1 or self.prior == "telescope", "magnitude is a setting of prior='telescope'")
        require(0 < self.first_fraction < 1, f"first_fraction must be in (0, 1), got {self.first_fraction}")

    def prior_network(self) -> nn.Module:
        return self.base if self.prior == "normal" else super().prior_network()

    def plan(self) -> list[Phase]:
        elbo = Elbo(self.posterior.sigma)
        if self.prior == "normal":
            return [self.phase(elbo)]
        return [self.share(elbo, self.first_fraction), self.afterwards(self.learning, 1 - self.first_fraction)]

    @property
    def learning(self) -> Objective:
        """The objective that trains the prior."""
        if self.prior == "nce":
            return LatentStage(StageRatio(0, MALA(0.2)), self.posterior, joint=False)
        if self.prior == "discrepancy":
            return LatentDiscrepancy(self.posterior)
        return Telescope(self.posterior, self.magnitude)
