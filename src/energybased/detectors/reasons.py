"""Which columns make a row anomalous, and what would be normal in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from energybased.detectors.encoder import Array

if TYPE_CHECKING:
    from energybased.detectors.detector import Detector
    from energybased.detectors.energy_detector import EnergyDetector

CANDIDATES = 10  # training rows that are nearest in all other columns, whose values are tried
LEAST_GAIN = 0.05  # of the best column's, by which a reason must lower the energy


@dataclass(frozen=True)
class Reason:
    """A column that makes a row anomalous.

    Args:
        column: its name, or its number as text.
        value: of the row.
        normal: a value that is normal beside the row's other columns: of the training rows that are nearest in these,
            the one that lowers the energy most.
        energy: of the row.
        changed: energy of the row with the normal value.
        p_value: of the row with the normal value.
    """

    column: str
    value: Any
    normal: Any
    energy: float
    changed: float
    p_value: float

    def __str__(self) -> str:
        said = "missing" if self.value is None else _text(self.value)
        return f"{self.column} = {said}, not {_text(self.normal)}"


def reasons(detector: EnergyDetector, x: Array, count: int) -> list[list[Reason]]:
    """For each of the rows x `(n, columns)`, at most `count` columns whose normal value lowers the energy."""
    normal = detector.encoder_(detector.kept_)
    return [_of_row(detector, normal, row, count) for row in x]


def _of_row(detector: EnergyDetector, normal: Tensor, row: Array, count: int) -> list[Reason]:
    encoder, kept = detector.encoder_, detector.kept_
    owners = encoder.owners
    gaps = (normal - encoder(row[None])).square().numpy()
    total, changed = gaps.sum(1), []
    for column in range(len(row)):
        others = np.where(total > 0, total - gaps[:, owners == column].sum(1), np.inf)  # without the row itself
        nearest = np.argsort(others, kind="stable")[:CANDIDATES]
        values = kept[nearest, column]
        values = np.unique(values[~np.isnan(values)])
        tried = np.repeat(row[None], max(1, len(values)), 0)
        tried[: len(values), column] = values
        changed.append(tried)
    everything = np.concatenate([row[None], *changed])
    energies = detector._energies(everything)
    means, p_values = np.mean(energies, 0), detector._p_values(energies)
    found, first = [], 1
    for column, tried in enumerate(changed):
        best = first + int(np.argmin(means[first : first + len(tried)]))
        first += len(tried)
        value, instead = (_cell(detector, column, everything[i, column]) for i in (0, best))
        changed_to = (float(means[0]), float(means[best]), float(p_values[best]))
        found.append(Reason(column_name(detector, column), value, instead, *changed_to))
    found = sorted((reason for reason in found if reason.value != reason.normal), key=lambda reason: reason.changed)
    least = LEAST_GAIN * (found[0].energy - found[0].changed) if found else 0.0
    return [reason for reason in found[:count] if reason.energy - reason.changed > max(0.0, least)]


def column_name(detector: Detector, column: int) -> str:
    """The name of a column, or its number as text."""
    names = getattr(detector, "feature_names_in_", None)
    return str(column) if names is None else str(names[column])


def _cell(detector: EnergyDetector, column: int, value: float) -> Any:
    if np.isnan(value):
        return None
    levels = detector.levels_.get(column)
    if levels is None:
        return float(value)
    return levels[int(value)] if value >= 0 else "a new category"


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
