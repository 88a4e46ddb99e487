"""Chains on their way from noise to samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from energybased.data.pictures import grid
from energybased.report.page import picture
from energybased.report.section import Contents


class Film:
    """States of a few chains, from noise to the sample."""

    title: ClassVar[str] = "From noise to a sample"
    needs: ClassVar[tuple[str, ...]] = ("chains", "samples", "pictures")

    def bodies(self, contents: Contents) -> Iterator[str]:
        strip = contents.subject.model.film(generator=contents.subject.rng())
        chains, frames = strip.shape[:2]
        steps = contents.subject.model.sampler.length
        caption = f"{chains} chains of {steps} steps, at logarithmically spaced steps; the last frame is denoised"
        yield picture(grid(strip.flatten(0, 1), columns=frames), caption)
