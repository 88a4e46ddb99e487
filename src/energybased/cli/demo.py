"""`ebm demo`: the first run."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from torch import Tensor

from energybased.cli.table import show
from energybased.data import load_data
from energybased.data.pictures import beside, save_png, sheet
from energybased.recipes import digits, digits_latent
from energybased.report.energy import energy_report
from energybased.report.latent import latent_report
from energybased.runs.compose import compose
from energybased.runs.judge import train_judge
from energybased.runs.measure import measure
from energybased.runs.model import load_energy, load_latent
from energybased.runs.train import train
from energybased.training import Run

FOLDER = Path("runs")
PAIR = (3, 8)  # the classes whose energies are composed


def demo(what: tyro.conf.Positional[Literal["energy", "latent"]] = "energy", /, seed: int = 0) -> int:
    """Trains on real handwritten digits, measures, and writes a page to look at.

    Args:
        what: an energy over pixels, or a generator with a prior that is learned in stages.
        seed: of everything random.
    """
    began = time.monotonic()
    run, rows, drawn, classes, command = _energy(seed) if what == "energy" else _latent(seed)
    held = load_data("digits").test.pixels(slice(80))
    save_png(beside(sheet(drawn[:80], classes), sheet(held, classes)), run.path / "samples.png")
    seconds = time.monotonic() - began
    hardware = f"{platform.machine()}, {torch.get_num_threads()} threads"
    for row in rows:
        row.update(command=command, hardware=hardware)
    total = {"what": "seconds", "value": round(seconds, 1), "protocol": "the whole demo, wall time"}
    run.write_json("results.json", [*rows, total])
    show(rows)
    print(f"\n{seconds:.0f} s; look at {run.path / 'report.html'}")
    return 0


Told = tuple[Run, list[dict[str, Any]], Tensor, int, str]  # run, what was measured, samples, their classes, command


def _energy(seed: int) -> Told:
    command = f"ebm demo --seed {seed}"
    print("training an energy of 8x8 handwritten digits (scikit-learn's; nothing is downloaded)")
    run = train(digits(seed=seed), out=FOLDER / "demo", overwrite=True)
    model, data = load_energy(run.path), load_data("digits")
    print("measuring: a judge, mixtures of Gaussians, chains from noise")
    judge = train_judge(out=run.path / "judge")
    measured = measure(model, run, data, judge, seed)
    print(f"composing the energies of {PAIR[0]} and of {PAIR[1]}")
    composed = compose(model, PAIR, seed, judge)
    run.write_text("report.html", energy_report(run, model, data, measured.rows, composed, command))
    return run, measured.rows, measured.pictures["fd_fresh"], model.classes, command


def _latent(seed: int) -> Told:
    command = f"ebm demo latent --seed {seed}"
    print("training a generator of 8x8 handwritten digits, and its prior stage by stage (nothing is downloaded)")
    run = train(digits_latent(seed=seed), out=FOLDER / "demo-latent", overwrite=True)
    model, data = load_latent(run.path), load_data("digits")
    print("measuring: a judge, mixtures of Gaussians, samples of the prior after each stage")
    measured = measure(model, run, data, train_judge(out=run.path / "judge"), seed)
    run.write_text("report.html", latent_report(run, model, data, measured.rows, command))
    return run, measured.rows, measured.pictures["fd_fresh"], 0, command


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(demo, args=arguments, prog="ebm demo")
