"""A row of results: one measured value of one seed."""

from __future__ import annotations

from typing import Any, NamedTuple


class Row(NamedTuple):
    """One measured value.

    Args:
        data: name of the data set.
        system: name of the recipe or of the baseline that was measured.
        metric: name of the value. Rows that differ only in their seed are the same quantity.
        value: the measured value.
        split: the split of the data against which it was measured.
        n: number of examples or samples.
        protocol: how it was measured, in words.
        seed: seed of the training.
        seconds: duration of the measurement.
        measured_by: name in `METRICS` of the metric that yielded the row.
    """

    data: str
    system: str
    metric: str
    value: float
    split: str
    n: int
    protocol: str
    seed: int
    seconds: float = 0.0
    measured_by: str = ""

    @property
    def text(self) -> str:
        """The value with three decimals, or with three significant digits below 0.1."""
        return f"{self.value:.3f}" if abs(self.value) >= 0.1 else f"{self.value:.3g}"

    def json(self) -> dict[str, Any]:
        """The row as an object of `results.json`, with more digits than are shown, so that none is rounded twice."""
        return {**self._asdict(), "value": float(f"{self.value:.7g}"), "seconds": round(self.seconds, 2)}
