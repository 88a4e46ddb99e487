"""`ebm demo`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import tyro

from energybased.cli.table import show
from energybased.data.pictures import beside, save_png, sheet
from energybased.recipes import Recipe, digits, digits_latent
from energybased.report import report
from energybased.runs.evaluate import evaluate, subject_of
from energybased.runs.judge import train_judge
from energybased.runs.train import train

FOLDER = Path("runs")
SHOWN = 80


def demo(what: tyro.conf.Positional[Literal["energy", "latent"]] = "energy", /, seed: int = 0) -> int:
    """Trains a model of handwritten digits, measures it, and writes a report.

    Args:
        what: energy trains an energy over pixels; latent trains a generator with a prior that is learned in stages.
        seed: seed of all random numbers.
    """
    began = time.monotonic()
    recipe: Recipe = digits(seed=seed) if what == "energy" else digits_latent(seed=seed)
    name, command = ("demo", "ebm demo") if what == "energy" else ("demo-latent", "ebm demo latent")
    print(
        f"training the recipe {recipe.recipe} on 8x8 handwritten digits (a part of scikit-learn; nothing is downloaded)"
    )
    run = train(recipe, out=FOLDER / name, overwrite=True)
    print("training a judge and measuring samples")
    subject = subject_of(run, judge=train_judge(out=run.path / "judge"))
    rows = evaluate(run, subject=subject)
    run.write_text("report.html", report(run, subject, rows, f"{command} --seed {seed}"))
    held = subject.data.values(subject.data.test, slice(SHOWN))
    classes = subject.model.classes
    picture = beside(sheet(subject.pictures["fd"][:SHOWN], classes), sheet(held, classes))
    save_png(picture, run.path / "samples.png")
    show(rows, subject.system)
    print(f"\n{time.monotonic() - began:.0f} s; report: {run.path / 'report.html'}")
    return 0


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(demo, args=arguments, prog="ebm demo")
