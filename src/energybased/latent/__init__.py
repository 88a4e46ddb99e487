"""Latent space: priors learned in stages, and what fits them."""

from energybased.latent.fit import fit_staged_prior
from energybased.latent.joint import JointStage
from energybased.latent.posterior import Posterior
from energybased.latent.stage import StageRatio, stage_phase
from energybased.latent.staged_prior import StagedPrior

__all__ = ["JointStage", "Posterior", "StageRatio", "StagedPrior", "fit_staged_prior", "stage_phase"]
