"""Compositions of the classes of a model: `python benchmarks/compositions.py MODEL` writes results/compositions.json.

For each of ten pairs of classes, 20 samples each of two energies: the mixture E(x | a) | E(x | b), and the contrast
2 E(x | a) - E(x | b). MODEL is a run over levels of noise, or the name of a
model that comes with the package. The judge names each sample.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from rows import RESULTS, Measured
from subjects import subject_at
from tyro.conf import Positional

from energybased.data.pictures import grid, save_png

EACH, SHOWN = 20, 8  # samples of a pair, and those that are drawn
OPERATIONS: dict[str, Callable[[Any, int, int], Any]] = {
    "mixture": lambda e, a, b: e.given(a) | e.given(b),
    "contrast": lambda e, a, b: 2.0 * e.given(a) - e.given(b),
}


def main(path: Annotated[Positional[Path], tyro.conf.arg(name="MODEL")], /) -> None:
    subject, made = subject_at(path, "compositions.py")
    judge, model = subject.judge, subject.model
    assert judge is not None
    pairs = [(a, (a + 5) % model.classes) for a in range(model.classes)]
    found = Measured("compositions", [subject.seed], made)
    for name, combine in OPERATIONS.items():
        rng, began, drawn = subject.rng(), time.monotonic(), []
        for a, b in pairs:
            composed = model.composed(lambda e, a=a, b=b, combine=combine: combine(e, a, b))
            drawn.append(composed.sample(EACH, generator=rng))
        seconds = time.monotonic() - began
        x = torch.stack(drawn)
        classes = judge.classify(judge.features(x.flatten(0, 1))).argmax(1).view(len(pairs), EACH).cpu()
        one, other = ((classes == torch.tensor([pair[i] for pair in pairs])[:, None]).float().mean(1) for i in (0, 1))
        told = f"the judge, {EACH} samples of each of {len(pairs)} pairs of classes, guidance {model.guidance:g}"
        fields = {"data": subject.data.name, "system": subject.system, "variant": name}
        found.add(float((one + other).mean()), told, seconds, **fields, metric="either")
        found.add(float(one.mean()), told, 0.0, **fields, metric="first")
        found.add(float(torch.minimum(one, other).mean()), told, 0.0, **fields, metric="rarer")
        save_png(grid(x[:, :SHOWN].flatten(0, 1), SHOWN), RESULTS / f"{subject.system}-{name}.png")
    found.write()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
