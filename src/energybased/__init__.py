"""Energy-based models: everything is an energy; every job is sampling from energies, or comparing them."""

from typing import TYPE_CHECKING, Any

from energybased import conditions, data, energies, latent, models, networks, objectives, recipes, sampling, training
from energybased.algebra import mean, mixture
from energybased.conditions import Classes, Vector
from energybased.data import DataSet, Pixels, Reals
from energybased.energies import (
    MLP,
    Banana,
    Gaussian,
    GaussianMixture,
    IsotropicMixture,
    Network,
    Ring,
    StandardNormal,
    Tilted,
    TiltedMixture,
)
from energybased.energy import Energy
from energybased.errors import UserError
from energybased.models import EnergyModel, LatentModel, Model, Sampler
from energybased.objectives import ContrastiveDivergence, EnergyDiscrepancy
from energybased.runs.load import load
from energybased.runs.train import resume, train
from energybased.sampling import HMC, MALA, Langevin, ReplayBuffer, Underdamped, adapt, sample
from energybased.training import Adam, Phase, Run, Settings, TorchOptimizer
from energybased.version import __version__

if TYPE_CHECKING:
    from energybased.detectors import EnergyDetector, EnergyOutlierDetector, ModelDetector, PictureDetector
    from energybased.runs.evaluate import evaluate

__all__ = [
    "HMC",
    "MALA",
    "MLP",
    "Adam",
    "Banana",
    "Classes",
    "ContrastiveDivergence",
    "DataSet",
    "Energy",
    "EnergyDetector",
    "EnergyDiscrepancy",
    "EnergyModel",
    "EnergyOutlierDetector",
    "Gaussian",
    "GaussianMixture",
    "IsotropicMixture",
    "Langevin",
    "LatentModel",
    "Model",
    "ModelDetector",
    "Network",
    "Phase",
    "PictureDetector",
    "Pixels",
    "Reals",
    "ReplayBuffer",
    "Ring",
    "Run",
    "Sampler",
    "Settings",
    "StandardNormal",
    "Tilted",
    "TiltedMixture",
    "TorchOptimizer",
    "Underdamped",
    "UserError",
    "Vector",
    "__version__",
    "adapt",
    "conditions",
    "data",
    "energies",
    "evaluate",
    "latent",
    "load",
    "mean",
    "mixture",
    "models",
    "networks",
    "objectives",
    "recipes",
    "resume",
    "sample",
    "sampling",
    "train",
    "training",
]


def __getattr__(name: str) -> Any:
    """Imports what takes long when it is used: `evaluate` brings all metrics, and the detectors scikit-learn."""
    if name == "evaluate":
        from energybased.runs.evaluate import evaluate

        return evaluate
    if name in ("EnergyDetector", "EnergyOutlierDetector", "ModelDetector", "PictureDetector"):
        from energybased import detectors

        return getattr(detectors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
