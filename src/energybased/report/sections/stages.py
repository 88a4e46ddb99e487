"""A prior after each of its stages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch

from energybased.data.pictures import grid
from energybased.report.charts import clouds
from energybased.report.page import note, picture
from energybased.report.section import Contents

SHOWN, DRAWN = 2000, 16  # latent vectors in a histogram; samples that are followed through the stages


class Stages:
    """Samples of the prior after each stage, next to posterior samples of the data."""

    title: ClassVar[str] = "The prior, stage by stage"
    needs: ClassVar[tuple[str, ...]] = ("stages", "latent vectors", "held-out data")

    def bodies(self, contents: Contents) -> Iterator[str]:
        subject, model = contents.subject, contents.subject.model
        active = [k + 1 for k, counts in enumerate(model.prior.active) if counts]
        inferred = model.sample_posterior(subject.train(SHOWN), generator=subject.rng())
        groups = {
            f"{k} stages" if k else "base": model.sample_prior(SHOWN, stages=k, generator=subject.rng())
            for k in (0, *active)
        }
        groups["data: posteriors"] = inferred
        if model.dim > 1:
            centre = inferred.mean(0)
            _, _, axes = torch.linalg.svd(inferred - centre, full_matrices=False)
            yield clouds({name: (z - centre) @ axes[:2].T for name, z in groups.items()})
            yield note("Samples of the prior along the two principal directions of the posterior samples of the data.")
        if active and subject.has("pictures"):
            strip = model.film(n=DRAWN, generator=subject.rng()).transpose(0, 1)
            yield picture(grid(strip.flatten(0, 1), columns=DRAWN), "samples of the base (top) through the stages")
