"""The detector as one of PyOD, for its ensembles and tools. Needs `pip install pyod`."""

from __future__ import annotations

from typing import Any

from energybased.detectors.energy_detector import EnergyDetector
from energybased.errors import UserError

try:
    from pyod.models.base import BaseDetector
except ImportError as error:
    raise UserError("energybased.detectors.pyod needs PyOD: pip install pyod") from error


class EnergyPyOD(BaseDetector):  # type: ignore[misc]
    """`EnergyDetector` as a detector of PyOD, whose base class sets the threshold and makes labels and probabilities.

    Args:
        contamination: share of training rows above the threshold, in (0, 0.5].
        novelty: whether the training rows are all normal.
        random_state: seed of everything random.
    """

    def __init__(self, contamination: float = 0.1, novelty: bool = False, random_state: Any = None) -> None:
        super().__init__(contamination=contamination)
        self.novelty = novelty
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> EnergyPyOD:
        """Fits the energy to rows X `(n, columns)`; y is ignored."""
        self._set_n_classes(y)
        self.detector_ = EnergyDetector(novelty=self.novelty, random_state=self.random_state).fit(X)
        self.decision_scores_ = self.detector_.decision_scores_
        self._process_decision_scores()
        return self

    def decision_function(self, X: Any) -> Any:
        """The energies of rows X `(n, columns)`: `(n,)`, higher for anomalies."""
        return self.detector_.decision_function(X)
