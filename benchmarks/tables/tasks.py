"""What trained runs do beside sampling, with its targets."""

from __future__ import annotations

from collections.abc import Iterator

from rows import Rows

from tables.detection import detection
from tables.goals import GOALS, Line, goal, number, table
from tables.likelihood import likelihood
from tables.ours import OWN
from tables.restoring import restoring
from tables.sampling import sampling


def tasks() -> str:
    return table(GOALS, [*detection(), *restoring(), *sampling(), likelihood(), *calibrated()])


def calibrated() -> Iterator[Line]:
    """The calibration of the classifier, which has no target."""
    found = Rows.read("mnist-tasks").find(system=OWN, metric="ece", split="test")
    if found is not None:
        yield goal(f"{OWN}: expected calibration error of softmax(b - E), clean test pictures", number(found, 4))
