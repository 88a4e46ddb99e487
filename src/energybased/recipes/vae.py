"""Recipes of variational autoencoders, with a prior of their own or one that is learned afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from torch import nn
from tyro.conf import Suppress

from energybased.errors import require
from energybased.latent import LatentDiscrepancy, LatentStage, StageRatio, Telescope
from energybased.objectives import Elbo, Objective
from energybased.recipes.autoencoder import AutoencoderRecipe
from energybased.sampling import MALA
from energybased.training import Phase

LearnedBy = Literal["normal", "nce", "telescope", "discrepancy"]


@dataclass(frozen=True)
class VaeRecipe(AutoencoderRecipe):
    """A generator and an encoder by the evidence bound (Kingma & Welling 2014), and an energy for the prior afterwards.

    Args:
        prior: "normal"; "nce", one ratio between the encoder's draws and the base (Aneja et al. 2021);
            "telescope", ratios between waymarks (Rhodes et al. 2020); or "discrepancy", one network by energy
            discrepancy (Schröder et al. 2023).
        magnitude: how often what a waymark is told from counts; above 1 for intensified noise (Yu et al. 2024).
        first_fraction: the part of the budget that the generator has, where a prior is learned afterwards.
    """

    recipe: Suppress[str] = "vae"
    prior: LearnedBy = "normal"
    magnitude: float = 1.0
    first_fraction: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.prior in get_args(LearnedBy), f"no such prior: {self.prior!r}")
        one = self.prior == "telescope" or self.stages == 1
        require(one, f"stages are a telescope's; with prior {self.prior!r} stages is 1, got {self.stages}")
        require(self.magnitude == 1 or self.prior == "telescope", "magnitude belongs to a telescope's waymarks")
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
        """How the prior learns."""
        if self.prior == "nce":
            return LatentStage(StageRatio(0, MALA(0.2)), self.posterior, joint=False)
        if self.prior == "discrepancy":
            return LatentDiscrepancy(self.posterior)
        return Telescope(self.posterior, self.magnitude)
