"""Calibration of a model that classifies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from energybased.data import Split
from energybased.evaluation.calibration import (
    BINS,
    class_logits,
    fit_temperature,
    negative_log_likelihood,
    reliability,
)
from energybased.evaluation.row import Row
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error and negative log-likelihood of p(y | x) on the test split.

    p(y | x) is softmax_y(b_y - E(x, y)) of an energy that is conditional on the class, or that of a judge. Both are
    also measured with logits divided by the temperature that fits the validation split best (Guo et al. 2017). There is
    none if every validation example is classified rightly: the likelihood then rises as the temperature falls to 0.
    """

    needs: ClassVar[tuple[str, ...]] = ("class logits", "labels", "held-out data", "validation data")

    def work(self, subject: Subject) -> Iterator[Work]:
        yield Work("scores", len(subject.data.validation) + len(subject.data.test))

    def measure(self, subject: Subject) -> Iterator[Row]:
        (held, held_y), (test, y) = (logits_of(subject, s) for s in (subject.data.validation, subject.data.test))
        on, fitted = f"on {len(y)} test examples{subject.learned}", bool((held.argmax(1) != held_y).any())
        temperature = fit_temperature(held, held_y) if fitted else 1.0
        why = f"; no temperature is fitted, since all {len(held_y)} validation examples are classified rightly"
        scales = [("", 1.0, "" if fitted else why), ("_scaled", temperature, f", temperature {temperature:.3g}")]
        for ending, t, scaled in scales[: 1 + fitted]:
            error = reliability((test.double() / t).softmax(1), y).error
            protocol = f"expected calibration error, {BINS} bins, {on}{scaled}"
            yield subject.row(f"ece{ending}", error, protocol, n=len(y))
            loss = negative_log_likelihood(test, y, t)
            yield subject.row(f"nll{ending}", loss, f"mean of -log p(y | x) in nats {on}{scaled}", n=len(y))
        if fitted:
            protocol = f"least negative log-likelihood on {len(held_y)} validation examples"
            yield subject.row("temperature", temperature, protocol, n=len(held_y), split="validation")


def logits_of(subject: Subject, split: Split) -> tuple[Tensor, Tensor]:
    """Logits `(n, classes)` and labels `(n,)` of a split, on the CPU."""
    y = split.take().y
    assert isinstance(y, Tensor)
    return class_logits(subject.model, subject.data.values(split)).cpu(), y.cpu().long()
