"""Objectives that train a prior over latent vectors, and some of them a generator too, one per file.

`LatentStage` with `StageRatio` is the method of Xiao & Han 2022. `OBJECTIVES` has an example of each objective, over
which the contract tests run.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from energybased.energies import Analytic, Gaussian, GaussianMixture, StandardNormal
from energybased.latent.objectives.ex_post_mixture import ExPostMixture
from energybased.latent.objectives.latent_discrepancy import LatentDiscrepancy
from energybased.latent.objectives.latent_elbo import LatentElbo
from energybased.latent.objectives.latent_maximum_likelihood import LatentMaximumLikelihood
from energybased.latent.objectives.latent_stage import LatentStage
from energybased.latent.objectives.moment_matching import MomentMatching
from energybased.latent.objectives.posterior_reconstruction import PosteriorReconstruction
from energybased.latent.objectives.stage_ratio import StageRatio, stage_finished
from energybased.latent.objectives.telescope import Telescope
from energybased.latent.posterior import Posterior
from energybased.latent.prior import EnergyPrior
from energybased.latent.short_run import ShortRun
from energybased.latent.staged_prior import StagedPrior
from energybased.networks import MLP, BatchedMLP, LatentDecoder, dense_encoder, dense_generator
from energybased.objectives import Objective
from energybased.sampling import MALA


def _parts(learned: int = 0, base: Analytic | None = None) -> dict[str, nn.Module]:
    """The parts for two-dimensional latent vectors and four pixels, with a prior of two stages."""
    prior = StagedPrior(base or StandardNormal(2), BatchedMLP(2, (8,), 2))
    prior.active[:learned] = 1
    generator, encoder = dense_generator(2, (8,), (1, 2, 2)), dense_encoder((1, 2, 2), (8,), 2)
    return {"prior": prior, "generator": generator, "encoder": encoder}


OBJECTIVES: tuple[tuple[Objective, Callable[[], dict[str, nn.Module]]], ...] = (
    (LatentStage(StageRatio(1, MALA(0.3), persistent_chains=16), Posterior(steps=2), rows=16), partial(_parts, 1)),
    (LatentStage(StageRatio(0, MALA(0.3)), Posterior(steps=2), joint=False, pool=8, ratio_updates_per_draw=2), _parts),
    (PosteriorReconstruction(Posterior(steps=2)), _parts),
    (MomentMatching(Posterior(steps=2)), lambda: _parts(base=Gaussian(torch.zeros(2), torch.eye(2)))),
    (
        LatentMaximumLikelihood(Posterior(steps=2)),
        lambda: {**_parts(), "prior": EnergyPrior(StandardNormal(2), MLP(2, (8,)), ShortRun(steps=2))},
    ),
    (LatentDiscrepancy(), _parts),
    (
        ExPostMixture(pool=8),
        lambda: {**_parts(), "prior": GaussianMixture(torch.zeros(2, 2), torch.eye(2).expand(2, 2, 2))},
    ),
    (Telescope(), _parts),
    (Telescope(magnitude=100.0), _parts),
    (
        LatentElbo(),
        lambda: {**_parts(), "latent_decoder": LatentDecoder(2, (8,)), "latent_encoder": dense_encoder((2,), (8,), 2)},
    ),
)

__all__ = [
    "OBJECTIVES",
    "LatentMaximumLikelihood",
    "LatentDiscrepancy",
    "LatentStage",
    "MomentMatching",
    "ExPostMixture",
    "PosteriorReconstruction",
    "StageRatio",
    "Telescope",
    "LatentElbo",
    "stage_finished",
]
