"""Reconstructions of held-out data by a latent model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch

from energybased.data.pictures import grid
from energybased.report.page import picture
from energybased.report.section import Contents

COLUMNS = 10


class Reconstructions:
    """Held-out pictures, their reconstructions, and pictures from straight lines between their latent vectors."""

    title: ClassVar[str] = "Reconstructions and interpolations"
    needs: ClassVar[tuple[str, ...]] = ("latent vectors", "pictures", "held-out data")

    def bodies(self, contents: Contents) -> Iterator[str]:
        model, x = contents.subject.model, contents.subject.test[:COLUMNS]
        z = model.sample_posterior(x, generator=contents.subject.rng())
        yield picture(grid(torch.cat([x, model.generate(z)]), columns=len(x)), "held-out data (top) and g(z)")
        pairs = len(z) // 2
        way = torch.linspace(0, 1, COLUMNS)[None, :, None].to(z)
        between = torch.lerp(z[:pairs, None], z[pairs : 2 * pairs, None], way)
        yield picture(
            grid(model.generate(between.flatten(0, 1)), columns=COLUMNS), "g(z) on straight lines between posteriors"
        )
