"""Latent-variable models: a generator, posteriors over its latent vectors, and a prior that is learned in stages."""

from energybased.latent.fit import fit_staged_prior
from energybased.latent.objectives import (
    OBJECTIVES,
    ExPostMixture,
    LatentDiscrepancy,
    LatentElbo,
    LatentMaximumLikelihood,
    LatentStage,
    MomentMatching,
    PosteriorReconstruction,
    StageRatio,
    Telescope,
    stage_finished,
)
from energybased.latent.posterior import Posterior
from energybased.latent.prior import EnergyPrior, LearnedPrior, Prior
from energybased.latent.short_run import ShortRun
from energybased.latent.staged_prior import StagedPrior

__all__ = [
    "OBJECTIVES",
    "LatentMaximumLikelihood",
    "EnergyPrior",
    "LatentDiscrepancy",
    "LatentStage",
    "MomentMatching",
    "ExPostMixture",
    "LearnedPrior",
    "Posterior",
    "Prior",
    "PosteriorReconstruction",
    "ShortRun",
    "StageRatio",
    "StagedPrior",
    "Telescope",
    "LatentElbo",
    "fit_staged_prior",
    "stage_finished",
]
