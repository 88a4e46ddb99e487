"""Recipes of two-stage variational autoencoders (Dai & Wipf 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from torch import nn

from energybased.data import DataSpec
from energybased.energies import StandardNormal
from energybased.errors import require
from energybased.latent import LatentElbo
from energybased.networks import Encoder, LatentDecoder, TwoStageEncoder, TwoStageGenerator, dense_encoder
from energybased.objectives import Elbo
from energybased.recipes.autoencoder import AutoencoderRecipe
from energybased.settings import Hidden
from energybased.training import Phase


@dataclass(frozen=True)
class TwoStageRecipe(AutoencoderRecipe):
    """A variational autoencoder, and then a second one over its latent vectors z (Dai & Wipf 2019).

    The hidden layers of the second one have the widths `ratio`. The standard deviation of x around g(z) is a setting,
    as in all systems; that of z in the second autoencoder is learned. A latent vector of the model has 2 dim entries: u
    of the second autoencoder, and the noise of z.

    Args:
        first_fraction: fraction of the budget for the first autoencoder.
    """

    recipe: Hidden[str] = "two-stage"
    first_fraction: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.stages == 1, f"the prior has no stages: stages must be 1, got {self.stages}")
        require(0 < self.first_fraction < 1, f"first_fraction must be in (0, 1), got {self.first_fraction}")

    def prior_network(self) -> nn.Module:
        return StandardNormal(2 * self.dim)

    def build(self, spec: DataSpec) -> dict[str, nn.Module]:
        above = dense_encoder((self.dim,), self.ratio, self.dim)
        return {
            **super().build(spec),
            "latent_decoder": LatentDecoder(self.dim, self.ratio),
            "latent_encoder": above,
        }

    def join(self, parts: Mapping[str, nn.Module]) -> Mapping[str, nn.Module]:
        lower, above = cast(Encoder, parts["encoder"]), cast(Encoder, parts["latent_encoder"])
        upper = cast(LatentDecoder, parts["latent_decoder"])
        generator = TwoStageGenerator(parts["generator"], upper)
        return {**parts, "generator": generator, "encoder": TwoStageEncoder(lower, above, upper)}

    @property
    def priors(self) -> tuple[str, ...]:
        return (*super().priors, "latent_decoder", "latent_encoder")

    def plan(self) -> list[Phase]:
        first, second = Elbo(self.posterior.sigma), LatentElbo()
        return [self.share(first, self.first_fraction), self.afterwards(second, 1 - self.first_fraction)]
