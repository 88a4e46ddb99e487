"""Recipes of variational autoencoders, with a prior of their own or one that is learned afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tyro.conf import Suppress

from energybased.errors import require
from energybased.latent import LatentStage, Posterior, StageRatio, Telescope
from energybased.objectives.elbo import Elbo
from energybased.recipes.latent import LatentRecipe
from energybased.sampling import MALA
from energybased.training import Phase


@dataclass(frozen=True)
class VaeRecipe(LatentRecipe):
    """A generator and an encoder by the evidence bound (Kingma & Welling 2014), and ratios for the prior afterwards.

    Args:
        prior: "normal"; "contrast", one ratio between the encoder's draws and the base (Aneja et al. 2021); or
            "telescope", ratios between waymarks (Rhodes et al. 2020).
        first: the part of the budget that the generator has, where a prior is learned afterwards.
    """

    recipe: Suppress[str] = "vae"
    encoder: bool = True
    stages: int = 1
    posterior: Posterior = Posterior(steps=0)
    prior: Literal["normal", "contrast", "telescope"] = "normal"
    first: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.encoder, "a variational autoencoder has an encoder")
        require(self.prior in ("normal", "contrast", "telescope"), f"no such prior: {self.prior!r}")
        require(0 < self.first < 1, f"first must be in (0, 1), got {self.first}")

    def phases(self) -> list[Phase]:
        elbo, rest = Elbo(self.posterior.sigma), 1 - self.first
        if self.prior == "normal":
            return [self.phase(elbo)]
        if self.prior == "telescope":
            return [self.share(elbo, self.first), self.afterwards(Telescope(self.posterior), rest)]
        ratio = LatentStage(StageRatio(0, MALA(0.2)), self.posterior, joint=False)
        return [self.share(elbo, self.first), self.afterwards(ratio, rest)]
