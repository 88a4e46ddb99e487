"""The accuracy under attack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from energybased.report.charts import curves
from energybased.report.page import note
from energybased.report.section import Contents

NORMS = {"linf": "largest change of a pixel", "l2": "Euclidean length of the change"}
ATTACKS = {  # by the ending of a row's metric; and the ending of that without attack
    "pgd": ("gradients of the logits", "robust_clean"),
    "least": ("all attacks on the logits", "robust_clean"),
    "sampler": ("all attacks, sampler before the decision", "robust_clean_sampler"),
}


class Attacks:
    """Curves of the accuracy over the size of the allowed change, if the robustness was measured."""

    title: ClassVar[str] = "Accuracy under attack"
    needs: ClassVar[tuple[str, ...]] = ()

    def bodies(self, contents: Contents) -> Iterator[str]:
        values = {row.metric: row.value for row in contents.rows if row.measured_by == "robustness"}
        for norm, words in NORMS.items():
            lines = {}
            for ending, (name, clean) in ATTACKS.items():
                points = sorted(points_of(values, f"robust_{norm}_", f"_{ending}"))
                if points:
                    epsilons, accuracies = zip((0.0, values[clean]), *points, strict=True)
                    lines[name] = list(epsilons), list(accuracies)
            if lines:
                yield curves(lines, f"{words}, pixels in [0, 1]", "accuracy")
        if values:
            yield note("A picture counts as right if it is right after every attack. The table names the attacks.")


def points_of(values: dict[str, float], start: str, end: str) -> Iterator[tuple[float, float]]:
    """The sizes of changes, which stand between the start and the end of the names of values, and the values."""
    for name, value in values.items():
        if name.startswith(start) and name.endswith(end):
            yield float(name[len(start) : -len(end)]), value
