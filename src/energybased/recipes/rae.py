"""Recipes of regularised autoencoders (Ghosh et al. 2020)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import nn

from energybased.data import DataSpec
from energybased.energies import GaussianMixture
from energybased.errors import require
from energybased.latent import ExPostMixture
from energybased.networks import Encoder, PointEncoder
from energybased.objectives import RegularizedAutoencoder
from energybased.recipes.autoencoder import AutoencoderRecipe
from energybased.recipes.latent import MOMENTS
from energybased.settings import Hidden
from energybased.training import Phase


@dataclass(frozen=True)
class RaeRecipe(AutoencoderRecipe):
    """A regularised autoencoder, with a mixture of Gaussians fitted to its latent vectors (Ghosh et al. 2020).

    Args:
        components: number of Gaussians of the mixture.
    """

    recipe: Hidden[str] = "rae"
    components: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.stages == 1, f"the prior has no stages: stages must be 1, got {self.stages}")
        require(self.components >= 1, f"components must be at least 1, got {self.components}")

    def build(self, spec: DataSpec) -> dict[str, nn.Module]:
        parts = super().build(spec)
        encoder = parts["encoder"]
        assert isinstance(encoder, Encoder)
        return {**parts, "encoder": PointEncoder(encoder.trunk)}

    def prior_network(self) -> nn.Module:
        eye = torch.eye(self.dim, device="cpu").expand(self.components, self.dim, self.dim)
        return GaussianMixture(torch.zeros(self.components, self.dim, device="cpu"), eye)

    def plan(self) -> list[Phase]:
        learning = RegularizedAutoencoder(self.posterior.sigma)
        mixed = self.afterwards(ExPostMixture(self.posterior), MOMENTS)
        if mixed.steps is not None:  # a fit needs at least as many z+ as Gaussians
            mixed = replace(mixed, steps=max(mixed.steps, math.ceil(self.components / self.batch_size)))
        return [self.share(learning, 1 - MOMENTS), mixed]
