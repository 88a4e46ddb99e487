"""The detector with the signs of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from energybased.detectors.encoder import Array
from energybased.detectors.energy_detector import EnergyDetector
from energybased.errors import require


class EnergyOutlierDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """`EnergyDetector` with scikit-learn's labels and signs: -1 for anomalies, 1 for normal rows, and low scores first.

    Args:
        novelty: as for `EnergyDetector`, as are the others; but contamination is a number.

    Attributes:
        detector_: the fitted `EnergyDetector`.
        offset_: rows whose `score_samples` is lower are anomalous; `decision_function` is the score less this offset.

    >>> rng = np.random.default_rng(0)
    >>> EnergyOutlierDetector(novelty=True, random_state=0).fit(rng.standard_normal((60, 2))).predict([[6.0, 6.0]])
    array([-1])
    """

    def __init__(
        self,
        *,
        novelty: bool = False,
        contamination: float = 0.1,
        categories: Any = (),
        random_state: Any = None,
    ) -> None:
        self.novelty = novelty
        self.contamination = contamination
        self.categories = categories
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> EnergyOutlierDetector:
        """Fits the energy to rows X `(n, columns)`; y is ignored."""
        named = isinstance(self.contamination, str)
        require(
            not named, f"contamination is a number in (0, 0.5], got {self.contamination!r}: labels need a threshold"
        )
        self.detector_ = EnergyDetector(**self.get_params(deep=False)).fit(X)
        self.n_features_in_ = self.detector_.n_features_in_
        if hasattr(self.detector_, "feature_names_in_"):
            self.feature_names_in_ = self.detector_.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self.offset_ = -self.detector_.threshold_
        return self

    def score_samples(self, X: Any) -> Array:
        """The negative energies of rows X `(n, columns)`: `(n,)`, lower for anomalies."""
        check_is_fitted(self)
        return self.detector_.score_samples(X)

    def decision_function(self, X: Any) -> Array:
        """`score_samples` less `offset_`: `(n,)`, negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> Array:
        """-1 for anomalous and 1 for normal rows X, `(n,)`."""
        check_is_fitted(self)
        return np.where(self.detector_.predict(X) == 1, -1, 1)

    def fit_predict(self, X: Any, y: Any = None, **kwargs: Any) -> Array:
        """Fits, and returns the labels of the training rows, `(n,)`, each by an energy that was not fitted to it."""
        return np.where(self.fit(X).detector_.labels_ == 1, -1, 1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
