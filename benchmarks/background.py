"""What samples have where pictures are black: `python benchmarks/background.py RUN` writes results/background.json.

The shares of pixels below 0.02 and between 0.02 and 0.1, of samples and of validation pictures, and the Fréchet
distance to the latter in EfficientNet-Lite0's features, before and after pixels below 0.1 are set to black.
"""

from __future__ import annotations

import sys
import time

import torch
from rows import Measured, trained
from torch import Tensor

from energybased.errors import require
from energybased.evaluation.compared import extractor_of
from energybased.evaluation.frechet import frechet_distance
from energybased.runs.evaluate import subject_of
from energybased.runs.load import run_of

SAMPLES, BLACK, FAINT = 1500, 0.02, 0.1


def main(path: str) -> None:
    run = run_of(path)
    subject = subject_of(run)
    command = f"{trained(run)}, python benchmarks/background.py RUN"
    found = Measured("background", [run.recipe["settings"]["seed"]], command)
    held = subject.data.values(subject.data.validation)
    require(len(held) >= SAMPLES, f"{SAMPLES} validation pictures are needed")
    began, lite = time.monotonic(), extractor_of(subject, "lite0")
    drawn = subject.model.sample(SAMPLES, generator=subject.rng())
    reference = lite.features(held[:SAMPLES])

    def add(system: str, x: Tensor) -> None:
        values = {
            "black": (float((x < BLACK).float().mean()), f"share of pixels below {BLACK:g}"),
            "faint": (
                float(((x >= BLACK) & (x < FAINT)).float().mean()),
                f"share of pixels in {BLACK:g} ... {FAINT:g}",
            ),
        }
        if x is not held:
            distance = frechet_distance(lite.features(x), reference)
            values["fd_lite0"] = distance, f"fd@{SAMPLES}(lite0, {SAMPLES} validation pictures)"
        for metric, (value, protocol) in values.items():
            fields = {"data": subject.data.name, "system": system, "metric": metric, "split": "validation"}
            found.add(value, protocol, time.monotonic() - began, **fields)

    recipe = run.recipe["recipe"]
    add(recipe, drawn)
    add(f"{recipe}, faint pixels black", torch.where(drawn < FAINT, 0.0, drawn))
    add("validation split", held)
    found.write()


if __name__ == "__main__":
    main(sys.argv[1])
