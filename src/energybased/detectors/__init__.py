"""Anomaly detection for people who have a table or pictures."""

from energybased.detectors.energy_detector import EnergyDetector
from energybased.detectors.model_detector import ModelDetector
from energybased.detectors.outlier_detector import EnergyOutlierDetector
from energybased.detectors.picture_detector import PictureDetector
from energybased.detectors.reasons import Reason

__all__ = ["EnergyDetector", "EnergyOutlierDetector", "ModelDetector", "PictureDetector", "Reason"]
