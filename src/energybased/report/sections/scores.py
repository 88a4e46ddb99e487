"""Scores of data and of out-of-distribution inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from energybased.evaluation.detection import out_of_distribution_inputs
from energybased.report.charts import histograms
from energybased.report.page import note
from energybased.report.section import Contents

SHOWN = 500  # of each group


class Scores:
    """Histograms of the scores of training data, held-out data and, for pictures, changed copies."""

    title: ClassVar[str] = "Scores of data and of out-of-distribution inputs"
    needs: ClassVar[tuple[str, ...]] = ("scores", "held-out data")

    def bodies(self, contents: Contents) -> Iterator[str]:
        subject = contents.subject
        test = subject.test[:SHOWN]
        groups = {"train": subject.train(len(test)), "held out": test}
        if subject.has("pictures"):
            groups |= out_of_distribution_inputs(test)
        scores = {name: subject.model.score(x, generator=subject.rng()) for name, x in groups.items()}
        yield histograms(scores, "score (high: out of distribution)")
        yield note("Training and held-out data should coincide. Values beyond the right edge are drawn at it.")
