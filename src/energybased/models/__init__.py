"""Trained models: what a recipe makes of trained parts, ready for use."""

from energybased.models.energy import EnergyModel
from energybased.models.judge import Judge
from energybased.models.latent import LatentModel
from energybased.models.model import Model
from energybased.models.sampler import Sampler

__all__ = ["EnergyModel", "Judge", "LatentModel", "Model", "Sampler"]
