"""Restored pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch

from energybased.data.pictures import grid
from energybased.evaluation.metrics.inpainting import right_half
from energybased.models.degradation import Degradation, Missing, SaltPepper
from energybased.report.page import picture
from energybased.report.section import Contents

SHOWN, SHARE = 10, 0.3  # pictures; part of their pixels that are set to 0 or 1


class Restoring:
    """The first test pictures without their right half and with salt and pepper, restored by one chain each."""

    title: ClassVar[str] = "Restored pictures"
    needs: ClassVar[tuple[str, ...]] = ("restoration", "pictures", "held-out data")

    def bodies(self, contents: Contents) -> Iterator[str]:
        subject = contents.subject
        model, x = subject.model, subject.test[:SHOWN]
        degradations: dict[str, Degradation] = {
            "the right half is missing": Missing(right_half(subject)),
            f"{SHARE:.0%} of the pixels are set to black or white": SaltPepper(SHARE),
        }
        for words, degradation in degradations.items():
            y = degradation.apply(x, subject.rng())
            restored = model.restore(y, degradation=degradation, generator=subject.rng()).to(x)
            rows = "Top: degraded; middle: restored, one chain each; bottom: as they were"
            caption = f"The first {len(x)} pictures of the test split, not selected; {words}. {rows}"
            yield picture(grid(torch.cat([y, restored, x]), columns=len(x)), caption)
