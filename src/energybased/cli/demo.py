"""`ebm demo`: the first run."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import tyro

from energybased.cli.table import show
from energybased.data import load_data
from energybased.data.pictures import beside, save_png, sheet
from energybased.recipes import digits
from energybased.report.page import report as page
from energybased.runs.compose import compose
from energybased.runs.judge import train_judge
from energybased.runs.measure import measure
from energybased.runs.model import load
from energybased.runs.train import train

FOLDER = Path("runs/demo")
PAIR = (3, 8)  # the classes whose energies are composed


def demo(seed: int = 0) -> int:
    """Trains on real handwritten digits, measures, and writes a page to look at.

    Args:
        seed: of everything random.
    """
    began = time.monotonic()
    print("training an energy of 8x8 handwritten digits (scikit-learn's; nothing is downloaded)")
    run = train(digits(seed=seed), out=FOLDER, overwrite=True)
    model, data = load(run.path), load_data("digits")
    print("measuring: a judge, mixtures of Gaussians, chains from noise")
    judge = train_judge(out=FOLDER / "judge")
    measured = measure(model, run, data, judge, seed)
    print(f"composing the energies of {PAIR[0]} and of {PAIR[1]}")
    composed = compose(model, PAIR, seed, judge)
    page_text = page(run, model, data, measured.rows, composed, command=f"ebm demo --seed {seed}")
    run.write_text("report.html", page_text)
    samples = sheet(measured.pictures["fd_fresh"][:80], model.classes)
    save_png(beside(samples, sheet(data.test.pixels(slice(80)), model.classes)), run.path / "samples.png")
    seconds = time.monotonic() - began
    hardware = f"{platform.machine()}, {torch.get_num_threads()} threads"
    for row in measured.rows:
        row.update(command=f"ebm demo --seed {seed}", hardware=hardware)
    total = {"what": "seconds", "value": round(seconds, 1), "protocol": "the whole demo, wall time"}
    run.write_json("results.json", [*measured.rows, total])
    show(measured.rows)
    print(f"\n{seconds:.0f} s; look at {run.path / 'report.html'}")
    return 0


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(demo, args=arguments, prog="ebm demo")
