"""Restored digits as a picture: `python benchmarks/restored.py RUN` draws results/mnist-restored.png.

A row shows one of the first ten test digits; the same without its right half; and eight candidates from the lowest
energy to the highest. The model is not told the class.
"""

from __future__ import annotations

import sys

import torch
from rows import RESULTS

from energybased.data.pictures import grid, save_png
from energybased.evaluation.metrics.inpainting import right_half
from energybased.models.degradation import Missing
from energybased.runs.evaluate import subject_of
from energybased.runs.load import run_of
from energybased.tasks.restore import restore

DIGITS, CANDIDATES = 10, 8


def main(path: str) -> None:
    subject = subject_of(run_of(path))
    x, degradation = subject.test[:DIGITS], Missing(right_half(subject))
    hidden = degradation.apply(x, subject.rng())
    found = restore(subject.model, hidden, degradation, candidates=CANDIDATES, generator=subject.rng())
    rows = torch.cat([x[:, None], hidden[:, None], found.x.cpu()], 1)
    save_png(grid(rows.flatten(0, 1), columns=rows.shape[1]), RESULTS / "mnist-restored.png")


if __name__ == "__main__":
    main(sys.argv[1])
