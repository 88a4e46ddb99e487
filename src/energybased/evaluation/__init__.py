"""Evaluation: metrics, one per file, that measure a subject, which is a model with its data."""

from energybased.evaluation.classifier_test import classifier_two_sample_test
from energybased.evaluation.extractors import EXTRACTORS, Extractor
from energybased.evaluation.features import Features
from energybased.evaluation.frechet import frechet_distance
from energybased.evaluation.inception_score import inception_score
from energybased.evaluation.kernel_distance import kernel_distance
from energybased.evaluation.mean_discrepancy import maximum_mean_discrepancy
from energybased.evaluation.metric import Metric
from energybased.evaluation.metrics import METRICS
from energybased.evaluation.moments import Moments
from energybased.evaluation.neighbours import coverage
from energybased.evaluation.outcome import Outcome
from energybased.evaluation.partition import Sandwich, sandwich_log_z
from energybased.evaluation.row import Row
from energybased.evaluation.stein import kernel_stein_discrepancy
from energybased.evaluation.subject import Subject
from energybased.sampling.annealed import Estimate

__all__ = [
    "EXTRACTORS",
    "METRICS",
    "Estimate",
    "Extractor",
    "Features",
    "Metric",
    "Moments",
    "Outcome",
    "Row",
    "Sandwich",
    "Subject",
    "classifier_two_sample_test",
    "coverage",
    "frechet_distance",
    "inception_score",
    "kernel_distance",
    "kernel_stein_discrepancy",
    "maximum_mean_discrepancy",
    "sandwich_log_z",
]
