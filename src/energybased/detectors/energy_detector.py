"""Anomaly detection on tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Generator, Tensor

from energybased.detectors.contaminated import fit_contaminated, trimmed
from energybased.detectors.detector import Detector
from energybased.detectors.encoder import Array, Encoder
from energybased.detectors.fold import Folds
from energybased.detectors.normal import fit_normal
from energybased.detectors.reasons import Reason, reasons
from energybased.detectors.table import is_frame, levels_of, numbers
from energybased.errors import require

EXAMPLES = 5000  # most normal training rows that are kept for reasons and drift
CHUNK = 100_000  # rows that are encoded at once


class EnergyDetector(Detector):
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

    def explain(self, X: Any, columns: int = 3) -> list[list[Reason]]:
        """For each row of X, the columns that make it anomalous, the first the most; see `detectors.reasons`."""
        require(columns >= 1, f"columns must be at least 1, got {columns}")
        return reasons(self, self._checked(X), columns)

    def save(self, path: str | Path) -> None:
        """Writes the fitted detector into one safetensors file, which holds no code."""
        from energybased.detectors.stored import write_detector

        check_is_fitted(self)
        write_detector(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> EnergyDetector:
        """Reads what `save` wrote.

        Raises:
            UserError: if the file is damaged, or no detector of tables.
        """
        from energybased.detectors.stored import read_detector

        found = read_detector(Path(path))
        require(isinstance(found, EnergyDetector), f"{path} is a detector of pictures: PictureDetector.load reads it")
        return cast(EnergyDetector, found)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

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

    def _learn(self, x: Array, generator: Generator) -> tuple[Folds, Tensor]:
        counts = np.array([len(self.levels_.get(column, ())) for column in range(x.shape[1])])
        encoder = Encoder.fit(x, counts)
        rows = encoder(x)
        if self.novelty:
            normal = np.ones(len(x), dtype=bool)
            folds, scores = fit_normal(rows, generator)
        else:
            kept = trimmed(rows, generator)
            normal = kept.numpy()
            encoder = Encoder.fit(x[normal], counts)
            folds, scores = fit_contaminated(encoder(x), kept, generator)
        self.encoder_ = encoder
        chosen = torch.randperm(int(normal.sum()), generator=generator)[:EXAMPLES].numpy()
        self.kept_ = x[normal][chosen]
        return folds, scores

    def _energies(self, x: Array) -> Array:
        """The energies `(folds, n)` of rows x `(n, columns)`."""
        with torch.no_grad():
            parts = [self.folds_.energies(self.encoder_(x[i : i + CHUNK])) for i in range(0, len(x), CHUNK)]
        return torch.cat(parts, 1).numpy()


def _has_categories(table: Any, categories: Any) -> bool:
    """Whether columns of an array are named as categories; what is no table is left to scikit-learn's checks."""
    return bool(categories is not None and len(categories)) and np.ndim(table) == 2 and not issparse(table)
