"""Inpainting of the right half of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from energybased.evaluation.restoration import mean_filled, mse, nearest_filled, psnr, ssim
from energybased.evaluation.row import Row
from energybased.evaluation.subject import LARGE, RESTORE, Subject
from energybased.evaluation.work import Work, restoring
from energybased.models.degradation import Missing

VALUES = {"mse": mse, "psnr": psnr, "ssim": ssim}


@dataclass(frozen=True)
class Inpainting:
    """The right half of pictures, restored from the left, by one chain each; a conditional model is not told the class.

    The sum over its classes has the terms that were fitted when training ended (`models.class_terms`).

    `inpainted_accuracy` is the part of the restored test pictures that the judge gives their label, and
    `inpainted_lead` the mean difference to the nearest neighbour on the same pictures, with its standard error. The
    other errors are those of whole pictures. Those of training pictures are measured beside them: a model that has
    memorised its data would restore these better.

    Args:
        pictures: number of random test pictures, and of training pictures.
    """

    needs: ClassVar[tuple[str, ...]] = ("restoration", "held-out data", LARGE, "judge", "labels", RESTORE)
    optional: ClassVar[bool] = True

    pictures: int = 2000

    def work(self, subject: Subject) -> Iterator[Work]:
        yield restoring(subject, 2 * min(self.pictures, len(subject.data.test)), Missing(right_half(subject)))

    def measure(self, subject: Subject) -> Iterator[Row]:
        model, judge, data = subject.model, subject.judge, subject.data
        assert judge is not None
        test, train, free = data.test.some(self.pictures), data.values(data.train), right_half(subject)
        count = len(test)
        labels, truth = test.y, data.domain.read(test.x)
        assert isinstance(labels, Tensor)
        degradation = Missing(free)
        hidden = degradation.apply(truth, subject.rng())
        restored = model.restore(hidden, degradation=degradation, generator=subject.rng()).cpu()
        systems = {
            "": (
                restored,
                f"one chain each, known pixels with the model's noise {getattr(model, 'noise', 0):g}",
            ),
            "untouched": (truth, "nothing is missing"),
            "mean-fill": (mean_filled(hidden, free, train), "mean of the training pictures"),
            "nearest neighbour": (nearest_filled(hidden, free, train), f"of {len(train)} training pictures"),
        }
        subject.pictures["inpainting"] = torch.cat([hidden, restored])
        right = {}
        for system, (x, how) in systems.items():
            protocol = f"right half of {count} random test pictures restored: {how}"
            right[system] = (judge.probabilities(x).argmax(1).to(labels.device) == labels).double()
            accuracy = float(right[system].mean())
            yield subject.row("inpainted_accuracy", accuracy, protocol, n=count, system=system)
            if system != "untouched":
                yield from error_rows(subject, x, truth, protocol, system=system)
        lead = right[""] - right["nearest neighbour"]
        protocol = f"inpainted_accuracy less that of the nearest neighbour, on the same {count} pictures"
        yield subject.row("inpainted_lead", float(lead.mean()), protocol, n=count)
        error = float(lead.std()) / count**0.5
        yield subject.row("inpainted_lead_error", error, f"standard error: {protocol}", n=count)
        known = data.values(data.train.some(count))
        again = model.restore(
            degradation.apply(known, subject.rng()), degradation=degradation, generator=subject.rng()
        ).cpu()
        protocol = f"right half of {len(known)} random training pictures restored: {systems[''][1]}"
        yield from error_rows(subject, again, known, protocol, split="train")


def error_rows(
    subject: Subject, x: Tensor, truth: Tensor, protocol: str, system: str = "", split: str = "test"
) -> Iterator[Row]:
    """The mean errors of restored pictures x `(n, *event)` as rows; see `Subject.row`."""
    for name, value in VALUES.items():
        mean = float(value(x, truth).mean())
        yield subject.row(f"inpainted_{name}", mean, protocol, n=len(x), system=system, split=split)


def right_half(subject: Subject) -> Tensor:
    """A mask that is True in the right half of the subject's pictures, `event`."""
    width = subject.data.event[2]
    return (torch.arange(width) >= width // 2).expand(subject.data.event)
