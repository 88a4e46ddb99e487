"""Latent space: priors learned in stages, and what fits them."""

from energybased.latent.fit import fit_staged_prior
from energybased.latent.stage import StageRatio
from energybased.latent.staged_prior import StagedPrior

__all__ = ["StageRatio", "StagedPrior", "fit_staged_prior"]
