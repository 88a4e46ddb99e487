"""Evaluation: metrics, one per file, that measure a subject, which is a model with its data."""

from energybased.evaluation.metric import Metric
from energybased.evaluation.metrics import METRICS
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject

__all__ = ["METRICS", "Metric", "Row", "Subject"]
