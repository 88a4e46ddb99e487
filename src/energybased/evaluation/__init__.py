"""Evaluation: metrics, one per file, that measure a subject, which is a model with its data."""

from energybased.evaluation.extractors import EXTRACTORS, Extractor
from energybased.evaluation.features import Features
from energybased.evaluation.frechet import frechet_distance
from energybased.evaluation.inception_score import inception_score
from energybased.evaluation.kernel_distance import kernel_distance
from energybased.evaluation.metric import Metric
from energybased.evaluation.metrics import METRICS
from energybased.evaluation.moments import Moments
from energybased.evaluation.neighbours import coverage
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject

__all__ = [
    "EXTRACTORS",
    "METRICS",
    "Extractor",
    "Features",
    "Metric",
    "Moments",
    "Row",
    "Subject",
    "coverage",
    "frechet_distance",
    "inception_score",
    "kernel_distance",
]
