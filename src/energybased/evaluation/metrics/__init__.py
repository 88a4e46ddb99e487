"""Metrics, one per file. To add one, write its file here and add it to `METRICS`, over which `ebm evaluate` runs."""

from energybased.evaluation.metric import Metric
from energybased.evaluation.metrics.accuracy import Accuracy
from energybased.evaluation.metrics.class_mapping import ClassMapping
from energybased.evaluation.metrics.confidence import Confidence
from energybased.evaluation.metrics.denoising import Denoising
from energybased.evaluation.metrics.detection import HeldOutClass, OutOfDistribution
from energybased.evaluation.metrics.energy_distance import EnergyDistance
from energybased.evaluation.metrics.frechet_baselines import FrechetBaselines
from energybased.evaluation.metrics.frechet_buffer import FrechetBuffer
from energybased.evaluation.metrics.frechet_long import FrechetLong
from energybased.evaluation.metrics.frechet_samples import FrechetSamples
from energybased.evaluation.metrics.frechet_stages import FrechetPosterior, FrechetStages
from energybased.evaluation.metrics.inpainting import Inpainting
from energybased.evaluation.metrics.joint_energy_distance import JointEnergyDistance
from energybased.evaluation.metrics.reconstruction import ReconstructionError

METRICS: dict[str, Metric] = {
    "accuracy": Accuracy(),
    "fd_buffer": FrechetBuffer(),
    "fd": FrechetSamples(),
    "fd_long": FrechetLong(),
    "fd_stages": FrechetStages(),
    "fd_posterior": FrechetPosterior(),
    "fd_baselines": FrechetBaselines(),
    "confidence": Confidence(),
    "energy_distance": EnergyDistance(),
    "joint_energy_distance": JointEnergyDistance(),
    "mse": ReconstructionError(),
    "ood": OutOfDistribution(),
    "holdout": HeldOutClass(),
    "inpainting": Inpainting(),
    "denoising": Denoising(),
    "class_mapping": ClassMapping(),
}

__all__ = ["METRICS"]
