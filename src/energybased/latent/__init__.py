"""Latent space: priors learned in stages, the generators beside them, and what fits both."""

from energybased.latent.contrast import LatentContrast
from energybased.latent.fit import fit_staged_prior
from energybased.latent.learning import LatentStage
from energybased.latent.model import LatentModel
from energybased.latent.posterior import Posterior
from energybased.latent.short_run import ShortRun
from energybased.latent.stage import StageRatio, stage_phase
from energybased.latent.staged_prior import StagedPrior
from energybased.latent.telescope import Telescope

__all__ = [
    "LatentContrast",
    "LatentModel",
    "LatentStage",
    "Posterior",
    "ShortRun",
    "StageRatio",
    "StagedPrior",
    "Telescope",
    "fit_staged_prior",
    "stage_phase",
]
