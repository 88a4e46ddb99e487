"""How often the noise is taken off samples: `python benchmarks/denoise.py mnist-conditional fashion`.

Draws chains of runs/RECIPE-0 once and compares what is left after 0 to 8 times with the validation split; writes
results/denoise.json. This is how `denoise` in the recipes was chosen.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from rows import RESULTS, row, write

from energybased.evaluation.frechet import frechet_distance
from energybased.runs.judge import load_judge
from energybased.runs.measure import CONFIDENT
from energybased.runs.model import load

TIMES = (0, 1, 2, 4, 8)
SAMPLES = 2000


def rows(name: str) -> list[dict]:
    model = load(Path("runs") / f"{name}-0")
    data = model.recipe.load_data()
    judge = load_judge(RESULTS / "judges" / f"{data.name}.safetensors")
    held = judge.features(data.validation.pixels())
    began, found = time.perf_counter(), []
    ends = model.run_chains(model.start(SAMPLES)).x
    for times in TIMES:
        recipe = replace(model.recipe, sampler=replace(model.recipe.sampler, denoise=times))
        x = replace(model, own=recipe).denoise(ends)
        against = f"{SAMPLES} samples, {len(held)} of the validation split, noise taken off {times} times"
        sure = float((judge.probabilities(x).max(1).values > CONFIDENT).float().mean())
        for what, value in (("fd", frechet_distance(judge.features(x), held)), ("sure", sure)):
            command = f"python benchmarks/denoise.py {name}"
            found.append(row(f"{name}-{what}-{times}", [value], [0], against, command, time.perf_counter() - began))
    return found


def main() -> None:
    write("denoise.json", [r for name in sys.argv[1:] for r in rows(name)])


if __name__ == "__main__":
    main()
