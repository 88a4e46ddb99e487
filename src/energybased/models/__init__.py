"""Trained models, which a recipe makes of trained parts."""

from energybased.models.energy import EnergyModel
from energybased.models.judge import Judge
from energybased.models.latent import LatentModel
from energybased.models.model import Model
from energybased.models.sampler import Sampler

__all__ = ["EnergyModel", "Judge", "LatentModel", "Model", "Sampler"]
