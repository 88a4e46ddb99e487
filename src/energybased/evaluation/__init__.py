"""Measurements: metrics, one a file, over a subject, and what they stand on."""

from energybased.evaluation.metric import Metric
from energybased.evaluation.metrics import METRICS
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject

__all__ = ["METRICS", "Metric", "Row", "Subject"]
