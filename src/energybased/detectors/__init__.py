"""Anomaly detection for people who have a table."""

from energybased.detectors.energy_detector import EnergyDetector
from energybased.detectors.outlier_detector import EnergyOutlierDetector
from energybased.detectors.reasons import Reason

__all__ = ["EnergyDetector", "EnergyOutlierDetector", "Reason"]
