"""Concrete energies. `ANALYTIC` and `NEURAL` list them for the contract tests."""

from energybased.energies.analytic import Analytic
from energybased.energies.gaussian import Gaussian, GaussianMixture, StandardNormal
from energybased.energies.network import MLP, Convolutional, Network, as_energy
from energybased.energies.planar import Banana, Ring
from energybased.energies.tilted import Tilted

ANALYTIC = (StandardNormal, Gaussian, GaussianMixture, Ring, Banana)
NEURAL = (MLP, Convolutional)

__all__ = [
    "ANALYTIC",
    "MLP",
    "NEURAL",
    "Analytic",
    "Banana",
    "Convolutional",
    "Gaussian",
    "GaussianMixture",
    "Network",
    "Ring",
    "StandardNormal",
    "Tilted",
    "as_energy",
]
