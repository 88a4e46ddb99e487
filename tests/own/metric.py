"""A metric of one's own: the distance between the mean of the samples and that of the test split."""

from dataclasses import dataclass
from typing import ClassVar

from energybased.evaluation import METRICS


@dataclass(frozen=True)
class MeanDistance:
    """|mean of the samples - mean of the test split|, in the user's units."""

    needs: ClassVar[tuple] = ("samples", "held-out data")

    def measure(self, subject):
        value = (subject.samples.mean(0) - subject.test.mean(0)).norm()
        yield subject.row("mean_distance", value, f"means of {subject.count} samples", n=subject.count)


METRICS["mine"] = MeanDistance()
