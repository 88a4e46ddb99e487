"""Removal of salt-and-pepper noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from energybased.evaluation.restoration import (
    ADAPTIVE_SIZES,
    MEDIAN_SIZES,
    TV_WEIGHTS,
    adaptive_median_filtered,
    best_setting,
    median_filtered,
    psnr,
    ssim,
    total_variation,
)
from energybased.evaluation.row import Row
from energybased.evaluation.subject import LARGE, RESTORE, Subject
from energybased.evaluation.work import Work, restoring
from energybased.models.degradation import SaltPepper
from energybased.tasks.restore import restore


@dataclass(frozen=True)
class Denoising:
    """PSNR and SSIM of test pictures of which a share of the pixels was set to 0 or 1, restored.

    Beside the model: the degraded pictures, a median filter, an adaptive one and total variation, whose settings have
    the largest PSNR on degraded validation pictures. The mean of several chains estimates the mean of the conditional
    density, which has the least expected squared error; it has a row of its own.

    Args:
        share: of the pixels that are set.
        pictures: number of random test pictures, and of validation pictures.
        chains: of each picture.
    """

    needs: ClassVar[tuple[str, ...]] = ("restoration", "held-out data", "validation data", LARGE, RESTORE)
    optional: ClassVar[bool] = True

    share: float = 0.3
    pictures: int = 200
    chains: int = 4

    def work(self, subject: Subject) -> Iterator[Work]:
        n = min(self.pictures, len(subject.data.test)) * self.chains
        yield restoring(subject, n, SaltPepper(self.share))

    def measure(self, subject: Subject) -> Iterator[Row]:
        model, data, degradation = subject.model, subject.data, SaltPepper(self.share)
        truth, held = (data.values(split.some(self.pictures)) for split in (data.test, data.validation))
        y, held_y = degradation.apply(truth, subject.rng()), degradation.apply(held, subject.rng())
        found = restore(model, y, degradation, candidates=self.chains, generator=subject.rng())
        size = best_setting(median_filtered, MEDIAN_SIZES, held_y, held)
        largest = best_setting(adaptive_median_filtered, ADAPTIVE_SIZES, held_y, held)
        weight = best_setting(total_variation, TV_WEIGHTS, held_y, held)
        noise = f"known pixels with the model's noise {getattr(model, 'noise', 0):g}"
        systems = {
            "": (found.x[:, 0].cpu(), f"chain of least energy of {self.chains}, {noise}"),
            f"mean of {self.chains} chains": (found.mean.cpu(), noise),
            "degraded": (y, "as they are"),
            "median filter": (median_filtered(y, size), f"{size} x {size} pixels, chosen on the validation split"),
            "adaptive median filter": (
                adaptive_median_filtered(y, largest),
                f"windows up to {largest} x {largest} pixels, chosen on the validation split",
            ),
            "total variation": (total_variation(y, weight), f"weight {weight:g}, chosen on the validation split"),
        }
        for system, (x, how) in systems.items():
            protocol = f"{len(truth)} random test pictures with {self.share:.0%} of the pixels set to 0 or 1: {how}"
            for name, value in {"psnr": psnr, "ssim": ssim}.items():
                yield subject.row(
                    f"denoised_{name}", float(value(x, truth).mean()), protocol, n=len(truth), system=system
                )
