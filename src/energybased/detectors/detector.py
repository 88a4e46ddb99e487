"""Anomaly detection on tables, with the interface of PyOD."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from scipy.sparse import issparse
from scipy.stats import binom
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from energybased.detectors.contaminated import KEPT, fit_contaminated, trimmed
from energybased.detectors.drift import drift
from energybased.detectors.encoder import Array, Encoder
from energybased.detectors.normal import fit_normal
from energybased.detectors.p_values import conformal, discoveries, empirical_null
from energybased.detectors.reasons import Reason, column_name, reasons
from energybased.detectors.table import is_frame, levels_of, numbers
from energybased.errors import require

USUAL = 2 / 3  # share of rows that are usual, below which unusual ones are drift
RATE = 0.1  # false discovery rate where the contamination is "auto"
EXAMPLES = 5000  # most normal training rows that are kept for reasons
CHUNK = 100_000  # rows that are encoded at once


class EnergyDetector(BaseEstimator):  # type: ignore[misc]
    """Detects anomalous rows of a table by an energy, which is high for anomalies.

    The words and signs are those of PyOD: labels are 0 for normal and 1 for anomalous, and a higher score is more
    anomalous. Columns are standardised. A missing cell, NaN, is replaced by the column's median, and that it is missing
    is an entry of its own. Columns of a data frame that hold text are categories.

    Trained on normal rows (`novelty=True`), the energy is a weighted sum of surprisals -log p(E(x)) of three energies:
    distances to nearest neighbours, tail probabilities of the columns, and the squared score of a denoiser with one
    level of noise for each column. Trained on a table that also holds anomalies (`novelty=False`), it is the log of the
    mean distance to a twentieth of the rows, of which the most anomalous fifth was left out, and a quarter of the tail
    probabilities, each in units of its spread.

    Args:
        novelty: whether the training rows are all normal.
        contamination: the share of training rows above the threshold, in (0, 0.5]; or "auto": rows are then anomalous
            by their p-values, at a false discovery rate of 0.1 (Benjamini & Hochberg 1995) among the rows of one call.
        categories: names or numbers of columns that hold categories, beside columns of text.
        random_state: seed of everything random: an int, a `numpy.random.RandomState`, or None for a new one each time.

    Attributes:
        decision_scores_: energies of the training rows `(n,)`, each compared with the others.
        p_values_: p-values of the training rows, `(n,)`.
        labels_: labels of the training rows, 0 or 1, `(n,)`.
        threshold_: rows with a higher energy are anomalous if `contamination` is a number; if it is "auto", the lowest
            energy of an anomalous training row, infinite if there is none.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, if the table was a data frame.

    Raises:
        ValueError: for settings out of range, or a table that is empty, holds infinite values, or has a single row.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 2))
    >>> detector = EnergyDetector(novelty=True, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.0], [6.0, 6.0]])
    array([0, 1])
    """

    def __init__(
        self,
        *,
        novelty: bool = False,
        contamination: float | Literal["auto"] = 0.1,
        categories: Any = (),
        random_state: Any = None,
    ) -> None:
        self.novelty = novelty
        self.contamination = contamination
        self.categories = categories
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> EnergyDetector:
        """Fits the energy to rows X `(n, columns)`; y is ignored."""
        auto = isinstance(self.contamination, str) and self.contamination == "auto"
        number = isinstance(self.contamination, (int, float, np.number)) and 0 < self.contamination <= 0.5
        require(auto or number, f"contamination is a number in (0, 0.5], or 'auto', got {self.contamination!r}")
        require(isinstance(self.novelty, (bool, np.bool_)), f"novelty is True or False, got {self.novelty!r}")
        self.novelty_ = bool(self.novelty)
        self.contamination_: float | str = "auto" if auto else float(self.contamination)
        x = self._read(X, reset=True)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        generator = torch.Generator().manual_seed(int(seed))
        counts = np.array([len(self.levels_.get(column, ())) for column in range(x.shape[1])])
        with torch.no_grad():
            encoder = Encoder.fit(x, counts)
            rows = encoder(x)
            if self.novelty_:
                normal = np.ones(len(x), dtype=bool)
                folds, scores = fit_normal(rows, generator)
            else:
                kept = trimmed(rows, generator)
                normal = kept.numpy()
                encoder = Encoder.fit(x[normal], counts)
                folds, scores = fit_contaminated(encoder(x), kept, generator)
        self.encoder_, self.folds_ = encoder, folds
        chosen = torch.randperm(int(normal.sum()), generator=generator)[:EXAMPLES].numpy()
        self.kept_ = x[normal][chosen]
        self.decision_scores_ = scores.numpy()
        own = np.repeat(self.decision_scores_[None], len(folds.references), 0)
        self.p_values_ = self._p_values(own)
        if auto:
            found = discoveries(self.p_values_, RATE)
            self.threshold_ = float(np.min(self.decision_scores_[found], initial=np.inf))
            self.labels_ = found.astype(int)
        else:
            self.threshold_ = float(np.quantile(self.decision_scores_, 1 - float(self.contamination_)))
            self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        return self

    def decision_function(self, X: Any) -> Array:
        """The energies of rows X `(n, columns)`: `(n,)`, float64, higher for anomalies."""
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
        if self.contamination_ == "auto":
            labels = discoveries(self._p_values(energies), RATE).astype(int)
        else:
            labels = (np.mean(energies, 0) > self.threshold_).astype(int)
        return (labels, self._confidence(np.mean(energies, 0), labels)) if return_confidence else labels

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
        """Labels of rows X, `(n,)`, and -2 where the confidence is at most 1 - 2 exp(-T) (Perini & Davis 2023)."""
        require(T >= 1, f"T must be at least 1, got {T}")
        labels, confidence = self.predict(X, return_confidence=True)
        return np.where(confidence <= 1 - 2 * np.exp(-T), -2, labels)

    def explain(self, X: Any, columns: int = 3) -> list[list[Reason]]:
        """For each row of X, the columns that make it anomalous, the first the most; see `detectors.reasons`."""
        require(columns >= 1, f"columns must be at least 1, got {columns}")
        return reasons(self, self._checked(X), columns)

    def drift(self, X: Any) -> tuple[float, str]:
        """The p-value of the hypothesis that the normal rows of X come from where the training rows do, and a column.

        The column is the one that differs most. Rows with an energy that most training rows do not have are left out,
        so that anomalies are no drift, unless they are more than a third. See `detectors.drift`.
        """
        x = self._checked(X)
        most = np.quantile(self.decision_scores_, 1.0 if self.novelty_ else KEPT)
        usual = np.mean(self._energies(x), 0) <= most
        p, column = drift(self.kept_, x[usual] if usual.mean() > USUAL else x)
        return p, column_name(self, column)

    def save(self, path: str | Path) -> None:
        """Writes the fitted detector into one safetensors file, which holds no code."""
        from energybased.detectors.stored import write_detector

        check_is_fitted(self)
        write_detector(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> EnergyDetector:
        """Reads what `save` wrote.

        Raises:
            UserError: if the file is damaged, or no detector.
        """
        from energybased.detectors.stored import read_detector

        return read_detector(Path(path))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _checked(self, X: Any) -> Array:
        check_is_fitted(self)
        return self._read(X, reset=False)

    def _read(self, X: Any, reset: bool) -> Array:
        """Rows of numbers `(n, columns)`, with codes for categories and NaN where a cell is missing."""
        checks: dict[str, Any] = {"dtype": np.float64, "ensure_all_finite": "allow-nan"}
        checks["ensure_min_samples"] = 2 if reset else 1
        frame = is_frame(X)
        if reset:
            self.levels_ = levels_of(X, self.categories or ()) if frame or _has_categories(X, self.categories) else {}
        if self.levels_ or frame:
            validate_data(self, X, reset=reset, skip_check_array=True)
            read: Array = check_array(numbers(X, self.levels_), **checks)
            return read
        found: Array = validate_data(self, X, reset=reset, **checks)
        return found

    def _energies(self, x: Array) -> Array:
        """The energies `(folds, n)` of rows x `(n, columns)`."""
        with torch.no_grad():
            parts = [self.folds_.energies(self.encoder_(x[i : i + CHUNK])) for i in range(0, len(x), CHUNK)]
        return torch.cat(parts, 1).numpy()

    def _p_values(self, energies: Array) -> Array:
        references = [own.numpy() for own in self.folds_.references]
        return conformal(energies, references) if self.novelty_ else empirical_null(energies[0], references[0])

    def _confidence(self, energies: Array, labels: Array) -> Array:
        n = len(self.decision_scores_)
        share = RATE if self.contamination_ == "auto" else float(self.contamination_)
        below = np.searchsorted(np.sort(self.decision_scores_), energies, side="right")
        anomalous = 1 - binom.cdf(n - int(n * share), n, (1 + below) / (2 + n))
        return np.where(labels == 1, anomalous, 1 - anomalous)


def _has_categories(table: Any, categories: Any) -> bool:
    """Whether columns of an array are named as categories; what is no table is left to scikit-learn's checks."""
    return bool(categories is not None and len(categories)) and np.ndim(table) == 2 and not issparse(table)
