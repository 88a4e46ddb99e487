"""Accuracy under attack, on a part of a split: `python benchmarks/robust.py RUN` writes results/robust.json.

The metric `robustness` attacks the whole test split for hours. Here, the logits are attacked on random examples of a
split, and the sampler on some of them. `--noise` classifies copies with the noise that the model has learned, which the
sampler then refines. How to refine is chosen on the validation split.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rows import Measured, trained
from tyro.conf import Positional

from energybased.evaluation.metrics.robustness import Robustness
from energybased.runs.evaluate import subject_of
from energybased.runs.load import run_of
from energybased.tasks.classify import Refinement


def main(
    path: Annotated[Positional[Path], tyro.conf.arg(name="RUN")],
    /,
    split: Literal["test", "validation"] = "test",
    examples: int = 1000,
    part: int = 256,
    epsilon: float = 0.2,
    steps: int = 10,
    copies: int = 4,
    noise: bool = False,
) -> None:
    run = run_of(path)
    subject = subject_of(run)
    subject = replace(subject, data=replace(subject.data, test=getattr(subject.data, split))).part(examples)
    refinement = Refinement(steps=steps, copies=copies, noise=noise)
    metric = Robustness(linf=(epsilon,), l2=(), part=part, refinement=refinement)
    words = (
        f"--split {split} --examples {examples} --part {part} --epsilon {epsilon:g} --steps {steps} --copies {copies}"
    )
    command = f"{trained(run)}, python benchmarks/robust.py RUN {words}{' --noise' * noise}"
    found = Measured("robust", [run.recipe["settings"]["seed"]], command)
    variant = f"{steps} steps, {copies} copies{', noise' * noise}"
    for row in metric.measure(subject):
        fields = {"data": row.data, "system": row.system, "metric": row.metric, "split": split, "variant": variant}
        found.add(row.value, f"{row.protocol}; n = {row.n}", row.seconds, **fields)
    found.write()  # at the end, so that no file has half an experiment


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
