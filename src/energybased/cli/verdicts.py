"""What `ebm detect` does with every kind of detector."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from energybased.cli.notes import tell
from energybased.detectors.detector import RATE, Detector
from energybased.errors import UserError, require
from energybased.report.page import page

STORED = ".safetensors"
DRIFT = 0.001  # p-value of the test for drift below which there is a warning


def require_no_settings(train: Path, novelty: bool, contamination: Any) -> None:
    """Raises `UserError` if settings are given beside a stored detector."""
    own = not novelty and contamination == "auto"
    require(own, f"{train} has its settings: leave out --novelty, --categories and --contamination")


def judged(detector: Detector, rows: Any, own: bool) -> tuple[Any, Any, Any]:
    """Energies, p-values and labels `(n,)` of rows, or of the training rows themselves, with remarks on them."""
    known = detector.decision_scores_, detector.p_values_, detector.labels_
    scores, p_values, labels = known if own else detector.verdicts(rows)
    least = 1 / (1 + sum(map(len, detector.folds_.references)))
    needed = math.ceil(least * len(labels) / RATE)
    if detector.contamination_ == "auto" and detector.novelty_ and needed > 1 and not labels.any():
        few = f"fewer than {needed} anomalies are not found without --contamination"
        tell([f"p-values are at least {least:.2g}: {few}"])
    if not own:
        changed, column = detector.drift(rows)
        if changed < DRIFT:
            tell([f"the rows are not those of the training, by column {column!r} at the least (p = {changed:.2g})"])
    return scores, p_values, labels


def highest(scores: Any, labels: Any, most: int) -> Any:
    """The numbers of anomalous rows, those of the highest scores first."""
    flagged = np.flatnonzero(labels)
    return flagged[np.argsort(-scores[flagged], kind="stable")][:most]


def write_page(report: Path, what: Path, sections: Mapping[str, Sequence[str]]) -> None:
    """Writes the page of a report.

    Raises:
        UserError: if it cannot be written.
    """
    try:
        report.write_text(page(f"Anomalies in {what.name}", sections))
    except OSError as error:
        raise UserError(f"cannot write {report}: {error.strerror}") from error
