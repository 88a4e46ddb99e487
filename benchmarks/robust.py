"""Accuracy under attack, on a part of a split: `python benchmarks/robust.py RUN` writes results/robust.json.

RUN is a run, or the name of a model that comes with the package. The logits are attacked on random examples of a split,
and the sampler on some of them. `--noise` classifies copies with the noise that the model has learned, which the
sampler then refines. `--split validation` is for choosing how to refine. Accuracy without attack is kept if it is that
of more examples.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rows import Measured, Rows
from subjects import subject_at
from tyro.conf import Positional

from energybased.evaluation.metrics.robustness import Robustness
from energybased.tasks.classify import Refinement


def main(
    path: Annotated[Positional[Path], tyro.conf.arg(name="RUN")],
    /,
    split: Literal["test", "validation"] = "test",
    examples: int = 1000,
    part: int = 256,
    epsilon: tuple[float, ...] = (0.2,),
    l2: tuple[float, ...] = (),
    steps: int = 10,
    copies: int = 4,
    noise: bool = False,
) -> None:
    subject, made = subject_at(path, "robust.py")
    subject = replace(subject, data=replace(subject.data, test=getattr(subject.data, split))).part(examples)
    refinement = Refinement(steps=steps, copies=copies, noise=noise)
    metric = Robustness(linf=epsilon, l2=l2, part=part, refinement=refinement)
    radii = " ".join(f"--{norm} {' '.join(map(str, of))}" for norm, of in (("epsilon", epsilon), ("l2", l2)) if of)
    words = f"--split {split} --examples {examples} --part {part} {radii} --steps {steps} --copies {copies}"
    found = Measured("robust", [subject.seed], f"{made} {words}{' --noise' * noise}")
    variant = f"{steps} steps, {copies} copies{', noise' * noise}"
    began = time.monotonic()
    for row in metric.measure(subject):
        fields = {"data": row.data, "system": row.system, "metric": row.metric, "split": split, "variant": variant}
        now = time.monotonic()
        clean = row.metric.startswith("robust_clean")
        if not clean or (Rows.read("robust").find(**fields) or {}).get("n", 0) <= row.n:
            found.add(row.value, f"{row.protocol}; n = {row.n}", now - began, {"n": row.n}, **fields)
        began = now
    found.write()  # at the end, so that no file has half an experiment


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
