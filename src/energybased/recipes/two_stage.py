"""Recipes of two-stage variational autoencoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from torch import nn
from tyro.conf import Suppress

from energybased.data import DataSpec
from energybased.energies import StandardNormal
from energybased.errors import require
from energybased.latent import LatentElbo
from energybased.networks import Encoder, LatentDecoder, TwoStageEncoder, TwoStageGenerator, dense_encoder
from energybased.objectives import Elbo
from energybased.recipes.autoencoder import AutoencoderRecipe
from energybased.training import Phase


@dataclass(frozen=True)
class TwoStageRecipe(AutoencoderRecipe):
    """A variational autoencoder, and a second one over its latent vectors afterwards (Dai & Wipf 2019).

    The second has hidden layers of the widths of a prior's networks. Sigma of the pixels is given, as for all systems;
    the second's own is learned. The model's latent vectors are u and the noise of z, of twice as many entries.

    Args:
        first_fraction: the part of the budget that the first has.
    """

    recipe: Suppress[str] = "two-stage"
    first_fraction: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.stages == 1, f"the prior is its base: stages is 1, got {self.stages}")
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
