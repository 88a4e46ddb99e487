"""Energy-based models: everything is an energy; every job is sampling from energies, or comparing them."""

from importlib.metadata import version

from energybased import data, energies, latent, networks, objectives, recipes, sampling, training
from energybased.energies import (
    MLP,
    Banana,
    Convolutional,
    Gaussian,
    IsotropicMixture,
    Network,
    Ring,
    StandardNormal,
    Tilted,
)
from energybased.energy import Energy, mean, mixture
from energybased.errors import UserError
from energybased.objectives import ContrastiveDivergence, EnergyDiscrepancy
from energybased.runs.model import Model, load
from energybased.runs.train import resume, train
from energybased.sampling import HMC, MALA, Langevin, ReplayBuffer, Underdamped, adapt, sample

__version__ = version("energybased")

__all__ = [
    "HMC",
    "MALA",
    "MLP",
    "Banana",
    "ContrastiveDivergence",
    "Convolutional",
    "Energy",
    "EnergyDiscrepancy",
    "Gaussian",
    "IsotropicMixture",
    "Langevin",
    "Model",
    "Network",
    "ReplayBuffer",
    "Ring",
    "StandardNormal",
    "Tilted",
    "Underdamped",
    "UserError",
    "adapt",
    "data",
    "energies",
    "latent",
    "load",
    "mean",
    "mixture",
    "networks",
    "objectives",
    "recipes",
    "resume",
    "sample",
    "sampling",
    "train",
    "training",
]
