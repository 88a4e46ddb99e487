"""Metrics, one per file. To add one, write its file here and add it to `METRICS`, over which `ebm evaluate` runs."""

from energybased.evaluation.metric import Metric
from energybased.evaluation.metrics.accuracy import Accuracy
from energybased.evaluation.metrics.calibration import Calibration
from energybased.evaluation.metrics.class_mapping import ClassMapping
from energybased.evaluation.metrics.confidence import Confidence
from energybased.evaluation.metrics.data_copying import DataCopying
from energybased.evaluation.metrics.denoising import Denoising
from energybased.evaluation.metrics.detection import HeldOutClass, OutOfDistribution, OutsideSets
from energybased.evaluation.metrics.energy_distance import EnergyDistance
from energybased.evaluation.metrics.energy_histograms import EnergyHistograms
from energybased.evaluation.metrics.frechet_baselines import FrechetBaselines
from energybased.evaluation.metrics.frechet_buffer import FrechetBuffer
from energybased.evaluation.metrics.frechet_features import FrechetFeatures
from energybased.evaluation.metrics.frechet_long import FrechetLong
from energybased.evaluation.metrics.frechet_replay import FrechetReplay
from energybased.evaluation.metrics.frechet_samples import FrechetSamples
from energybased.evaluation.metrics.frechet_stages import FrechetPosterior, FrechetStages
from energybased.evaluation.metrics.inception_score import InceptionScore
from energybased.evaluation.metrics.inpainting import Inpainting
from energybased.evaluation.metrics.joint_energy_distance import JointEnergyDistance
from energybased.evaluation.metrics.kernel_distance import KernelDistance
from energybased.evaluation.metrics.log_likelihood import LogLikelihood
from energybased.evaluation.metrics.precision_recall import PrecisionRecall
from energybased.evaluation.metrics.prior_fit import PriorFit
from energybased.evaluation.metrics.reconstruction import ReconstructionError
from energybased.evaluation.metrics.robustness import Robustness
from energybased.evaluation.metrics.stein_discrepancy import SteinDiscrepancy
from energybased.evaluation.metrics.two_sample_tests import TwoSampleTest

METRICS: dict[str, Metric] = {
    "accuracy": Accuracy(),
    "fd_buffer": FrechetBuffer(),
    "fd": FrechetSamples(),
    "fd_long": FrechetLong(),
    "fd_replay": FrechetReplay(),
    "fd_stages": FrechetStages(),
    "fd_posterior": FrechetPosterior(),
    "fd_baselines": FrechetBaselines(),
    "kd": KernelDistance(),
    "is": InceptionScore(),
    "precision_recall": PrecisionRecall(),
    "fd_lite0": FrechetFeatures("lite0"),
    "fd_buffer_lite0": FrechetBuffer("lite0"),
    "kd_lite0": KernelDistance("lite0"),
    "is_lite0": InceptionScore("lite0"),
    "precision_recall_lite0": PrecisionRecall("lite0"),
    "fd_lite1": FrechetFeatures("lite1"),
    "fd_inception": FrechetFeatures("inception"),
    "fd_buffer_inception": FrechetBuffer("inception"),
    "kd_inception": KernelDistance("inception"),
    "is_inception": InceptionScore("inception"),
    "precision_recall_inception": PrecisionRecall("inception"),
    "copying": DataCopying(),
    "confidence": Confidence(),
    "energy_distance": EnergyDistance(),
    "joint_energy_distance": JointEnergyDistance(),
    "ksd": SteinDiscrepancy(),
    "c2st": TwoSampleTest("c2st"),
    "mmd": TwoSampleTest("mmd"),
    "prior_fit": PriorFit(),
    "log_likelihood": LogLikelihood(),
    "mse": ReconstructionError(),
    "ood": OutOfDistribution(),
    "ood_sets": OutsideSets(),
    "holdout": HeldOutClass(),
    "energy_histograms": EnergyHistograms(),
    "calibration": Calibration(),
    "robustness": Robustness(),
    "inpainting": Inpainting(),
    "denoising": Denoising(),
    "class_mapping": ClassMapping(),
}

__all__ = ["METRICS"]
