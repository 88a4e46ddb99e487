"""What every anomaly detector says, with the interface of PyOD."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
import torch
from scipy.stats import binom
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Generator, Tensor

from energybased.detectors.contaminated import KEPT
from energybased.detectors.drift import drift
from energybased.detectors.encoder import Array
from energybased.detectors.fold import Folds
from energybased.detectors.p_values import conformal, discoveries, empirical_null
from energybased.detectors.reasons import column_name
from energybased.errors import UserError, require

USUAL = 2 / 3  # share of rows that are usual, below which unusual ones are drift
RATE = 0.1  # false discovery rate where the contamination is "auto"


class Detector(BaseEstimator, ABC):  # type: ignore[misc]
    """Labels, p-values and probabilities of rows by their energies, which are high for anomalies.

    A detector says how it reads rows, fits an energy to them, and computes energies. It has the settings `novelty`,
    `contamination` and `random_state`; see `EnergyDetector`.
    """

    novelty: bool
    contamination: float | Literal["auto"]
    random_state: Any
    folds_: Folds
    kept_: Array

    def fit(self, X: Any, y: Any = None) -> Any:
        """Fits the energy to rows X; y is ignored."""
        auto = isinstance(self.contamination, str) and self.contamination == "auto"
        number = isinstance(self.contamination, (int, float, np.number)) and 0 < self.contamination <= 0.5
        require(auto or number, f"contamination is a number in (0, 0.5], or 'auto', got {self.contamination!r}")
        require(isinstance(self.novelty, (bool, np.bool_)), f"novelty is True or False, got {self.novelty!r}")
        try:
            seed = check_random_state(self.random_state).randint(2**31 - 1)
        except ValueError as error:
            raise UserError(f"random_state is a whole number in [0, 2^32), got {self.random_state!r}") from error
        x = self._read(X, reset=True)
        with torch.no_grad():
            self.folds_, scores = self._learn(x, torch.Generator().manual_seed(int(seed)))
        self.novelty_ = bool(self.novelty)
        self.contamination_: float | str = "auto" if auto else float(self.contamination)
        self.decision_scores_ = scores.numpy()
        own = np.repeat(self.decision_scores_[None], len(self.folds_.references), 0)
        self.p_values_ = self._p_values(own)
        if auto:
            found = discoveries(self.p_values_, RATE)
            self.threshold_ = float(np.min(self.decision_scores_[found], initial=np.inf))
            self.labels_ = found.astype(int)
        else:
            self.threshold_ = float(np.quantile(self.decision_scores_, 1 - float(self.contamination_)))
            self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        return self

    @abstractmethod
    def _read(self, X: Any, reset: bool) -> Any:
        """Rows as the detector computes with them; `reset` in `fit`, whose rows decide what later ones must be."""

    @abstractmethod
    def _learn(self, x: Any, generator: Generator) -> tuple[Folds, Tensor]:
        """The energies that are fitted to rows x, and what they give these rows, `(n,)`, each compared with others.

        It keeps normal rows in `kept_`, with which new ones are compared.
        """

    @abstractmethod
    def _energies(self, x: Any) -> Array:
        """The energies `(folds, n)` of rows x."""

    def _columns(self, x: Any) -> Array:
        """Rows x as columns of numbers `(n, columns)`, which are compared with `kept_`."""
        return np.asarray(x)

    def decision_function(self, X: Any) -> Array:
        """The energies of rows X, `(n,)`, float64, higher for anomalies."""
        return np.mean(self._energies(self._checked(X)), 0)

    def score_samples(self, X: Any) -> Array:
        """The negative energies of rows X, `(n,)`: scikit-learn's sign, lower for anomalies."""
        return -self.decision_function(X)

    def p_values(self, X: Any) -> Array:
        """The probability `(n,)` that a normal row has an energy as high as each row of X.

        After a fit to normal rows they are cross-conformal p-values; see `detectors.p_values.conformal` for when these
        are right. After a fit to a table with anomalies they are approximate: see `empirical_null` there.
        """
        return self._p_values(self._energies(self._checked(X)))

    def predict(self, X: Any, return_confidence: bool = False) -> Any:
        """Labels of rows X, `(n,)`: 0 for normal, 1 for anomalous; with their confidences if asked for."""
        energies = self._energies(self._checked(X))
        labels = self._labels(energies)
        return (labels, self._confidence(np.mean(energies, 0), labels)) if return_confidence else labels

    def verdicts(self, X: Any) -> tuple[Array, Array, Array]:
        """Energies, p-values and labels of rows X, `(n,)` each, computed at once."""
        energies = self._energies(self._checked(X))
        return np.mean(energies, 0), self._p_values(energies), self._labels(energies)

    def fit_predict(self, X: Any, y: Any = None) -> Array:
        """Fits, and returns the labels of the training rows, `(n,)`."""
        labels: Array = self.fit(X).labels_
        return labels

    def predict_proba(self, X: Any, method: Literal["linear", "unify"] = "linear") -> Array:
        """The probability of each label, `(n, 2)`, of rows X, as PyOD has it (Kriegel et al. 2011).

        Args:
            method: "linear": the place of the energy between the lowest and the highest of training rows, cut at 0 and
                1; "unify": erf of the energy, standardised by training rows, divided by sqrt(2), and cut at 0.
        """
        require(method in ("linear", "unify"), f"method is 'linear' or 'unify', got {method!r}")
        energies, train = self.decision_function(X), self.decision_scores_
        if method == "linear":
            low, high = train.min(), train.max()
            anomalous = np.clip((energies - low) / max(high - low, 1e-12), 0, 1)
        else:
            standardised = torch.from_numpy((energies - train.mean()) / max(train.std(), 1e-12))
            anomalous = torch.special.erf(standardised / np.sqrt(2)).clamp_min(0).numpy()
        return np.stack([1 - anomalous, anomalous], 1)

    def predict_confidence(self, X: Any) -> Array:
        """How sure each label of rows X is, `(n,)`, in [0, 1] (Perini et al. 2020).

        It is the probability that the label is the same if the training rows are drawn anew. If `contamination` is
        "auto", it is that of the label by a threshold above which are a tenth of the training rows.
        """
        return np.asarray(self.predict(X, return_confidence=True)[1])

    def predict_with_rejection(self, X: Any, T: int = 32) -> Array:
        """Labels of rows X, `(n,)`, and -2 where |2 c - 1| is at most 1 - 2 exp(-T) (Perini & Davis 2023).

        c is the confidence. A larger T rejects more rows.
        """
        require(T >= 1, f"T must be at least 1, got {T}")
        labels, confidence = self.predict(X, return_confidence=True)
        return np.where(2 * np.abs(confidence - 0.5) <= 1 - 2 * np.exp(-T), -2, labels)

    def drift(self, X: Any) -> tuple[float, str]:
        """The p-value of the hypothesis that the normal rows of X come from where the training rows do, and a column.

        The column is the one that differs most. Rows with an energy that most training rows do not have are left out,
        so that anomalies are no drift, unless they are more than a third. See `detectors.drift`.
        """
        x = self._checked(X)
        most = np.quantile(self.decision_scores_, 1.0 if self.novelty_ else KEPT)
        usual = np.mean(self._energies(x), 0) <= most
        columns = self._columns(x)
        p, column = drift(self.kept_, columns[usual] if usual.mean() > USUAL else columns)
        return p, column_name(self, column)

    def _checked(self, X: Any) -> Any:
        check_is_fitted(self)
        return self._read(X, reset=False)

    def _labels(self, energies: Array) -> Array:
        if self.contamination_ == "auto":
            return discoveries(self._p_values(energies), RATE).astype(int)
        return (np.mean(energies, 0) > self.threshold_).astype(int)

    def _p_values(self, energies: Array) -> Array:
        references = [own.numpy() for own in self.folds_.references]
        return conformal(energies, references) if self.novelty_ else empirical_null(np.mean(energies, 0), references[0])

    def _confidence(self, energies: Array, labels: Array) -> Array:
        n = len(self.decision_scores_)
        share = RATE if self.contamination_ == "auto" else float(self.contamination_)
        below = np.searchsorted(np.sort(self.decision_scores_), energies, side="right")
        anomalous = 1 - binom.cdf(n - max(1, int(n * share)), n, (1 + below) / (2 + n))
        return np.where(labels == 1, anomalous, 1 - anomalous)
