"""Recipes of two-stage variational autoencoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from torch import nn
from tyro.conf import Suppress

from energybased.energies import StandardNormal
from energybased.errors import require
from energybased.latent import LatentModel, StagedPrior, UpperElbo
from energybased.networks import Encoder, Parallel, TwoStageEncoder, TwoStageGenerator, Upper, dense_encoder
from energybased.objectives import Elbo
from energybased.recipes.coded import CodedRecipe
from energybased.training import Phase


@dataclass(frozen=True)
class TwoStageRecipe(CodedRecipe):
    """A variational autoencoder, and a second one over its latent vectors afterwards (Dai & Wipf 2019).

    The second has hidden layers of the widths of a prior's networks. Sigma of the pixels is given, as for all systems;
    the second's own is learned. The model's latent vectors are u and the noise of z, of twice as many entries.

    Args:
        first: the part of the budget that the first has.
    """

    recipe: Suppress[str] = "two-stage"
    first: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.stages == 1, f"the prior is its base: stages is 1, got {self.stages}")
        require(0 < self.first < 1, f"first must be in (0, 1), got {self.first}")

    def blank(self, event: tuple[int, ...]) -> dict[str, nn.Module]:
        twice = 2 * self.dim
        prior = StagedPrior(StandardNormal(twice), Parallel(twice, self.ratio, self.stages))
        above = dense_encoder((self.dim,), self.ratio, self.dim)
        return {
            **super().blank(event),
            "prior": prior,
            "upper_generator": Upper(self.dim, self.ratio),
            "upper_encoder": above,
        }

    def model(self, parts: Mapping[str, nn.Module]) -> LatentModel:
        lower, above = cast(Encoder, parts["encoder"]), cast(Encoder, parts["upper_encoder"])
        upper = cast(Upper, parts["upper_generator"])
        generator = TwoStageGenerator(parts["generator"], upper)
        whole = {"generator": generator, "encoder": TwoStageEncoder(lower, above, upper)}
        return super().model({**parts, **whole})

    @property
    def priors(self) -> tuple[str, ...]:
        return (*super().priors, "upper_generator", "upper_encoder")

    def phases(self) -> list[Phase]:
        first, second = Elbo(self.posterior.sigma), UpperElbo()
        return [self.share(first, self.first), self.afterwards(second, 1 - self.first)]
