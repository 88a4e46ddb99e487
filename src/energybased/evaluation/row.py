"""What was measured: one value of one seed."""

from __future__ import annotations

from typing import Any, NamedTuple


class Row(NamedTuple):
    """One measured value.

    Args:
        data: name of the data set.
        system: what was measured: the recipe, or a baseline.
        metric: name of the value; rows of one metric and system are one quantity over seeds.
        value: the measurement.
        split: of the data that it was measured against.
        n: examples or samples.
        protocol: how it was measured, in words.
        seed: of the training.
        seconds: that the measurement took.
        measured_by: the metric in `METRICS` that made the row.
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

    def json(self) -> dict[str, Any]:
        """The row as it stands in `results.json`."""
        return {**self._asdict(), "value": round(self.value, 4), "seconds": round(self.seconds, 2)}
