"""Samples above their nearest training examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch

from energybased.data.pictures import grid
from energybased.evaluation.copying import nearest
from energybased.evaluation.metrics.data_copying import rows_of, spaces, training
from energybased.report.page import picture
from energybased.report.section import Contents

SHOWN = 12


class Neighbours:
    """Samples, and the training example that is nearest to each of them, in pixels and in the judge's features."""

    title: ClassVar[str] = "Nearest training examples"
    needs: ClassVar[tuple[str, ...]] = ("samples", "pictures")

    def bodies(self, contents: Contents) -> Iterator[str]:
        subject = contents.subject
        data, x = subject.data, subject.model.sample(SHOWN, generator=subject.rng()).cpu()
        rows, words = [x], []
        for space in spaces(subject):
            found = nearest(rows_of(subject, space, x), training(subject, space))[1]
            rows.append(data.values(data.train, found).cpu())
            words.append("in pixels" if space == "pixels" else "in the features of the judge")
        caption = f"Samples (top), not selected, and the nearest training examples below: {', then '.join(words)}"
        yield picture(grid(torch.cat(rows), columns=SHOWN), caption)
