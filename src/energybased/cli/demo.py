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
from energybased.data.pictures import save_png
from energybased.energy import mixture
from energybased.evaluation.judge import Judge, train_judge
from energybased.recipes import digits
from energybased.recipes.measure import measure
from energybased.recipes.model import Model, load
from energybased.recipes.train import train
from energybased.report.page import captions, contact_sheet
from energybased.report.page import report as page
from energybased.sampling import ReplayBuffer, sample
from energybased.training.run import Run

FOLDER = Path("runs/demo")
PAIR = (3, 8)  # the classes whose energies are composed
SMALLER = {"steps": 400, "batch_size": 64, "buffer": ReplayBuffer(capacity=256)}  # for a hundred digits


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
    judge = train_judge(data)
    measured = measure(model, run, data, judge, seed)
    print(f"composing the energies of {PAIR[0]} and of {PAIR[1]}")
    composed = captions(compose(run, seed, judge))
    page_text = page(run, model, data, measured.rows, composed, command="ebm demo")
    run.write_text("report.html", page_text)
    save_png(contact_sheet(measured.pictures["fd_fresh"][:64], data.test.x[:64]), run.path / "samples.png")
    seconds = time.monotonic() - began
    hardware = f"{platform.machine()}, {torch.get_num_threads()} threads"
    for row in measured.rows:
        row.update(command="ebm demo", hardware=hardware)
    total = {"what": "seconds", "value": round(seconds, 1), "protocol": "the whole demo, wall time"}
    run.write_json("results.json", [*measured.rows, total])
    show(measured.rows)
    print(f"\n{seconds:.0f} s; look at {run.path / 'report.html'}")
    return 0


def compose(run: Run, seed: int, judge: Judge) -> dict[str, tuple[torch.Tensor, float]]:
    """Two energies of one class each, trained apart, sampled together: one or the other, and both at once.

    Returns, by caption, the samples and the share of them that the judge calls one of the two classes.
    """
    models: list[Model] = []
    for digit in PAIR:
        path = run.path / f"class-{digit}"
        train(digits(seed=seed, only=(digit,), **SMALLER), out=path, overwrite=True)
        models.append(load(path))
    a, b = models
    energies = {
        f"{PAIR[0]} or {PAIR[1]} (a | b)": mixture([a.energy, b.energy]),
        f"{PAIR[0]} and {PAIR[1]} (0.5 a + 0.5 b)": 0.5 * a.energy + 0.5 * b.energy,
    }
    composed = {}
    for name, energy in energies.items():
        generator = torch.Generator().manual_seed(seed)
        kernel, start = a.recipe.sampler.kernel, a.start(64, seed)
        x = sample(energy, start, kernel, a.recipe.sampler.length, generator).x
        x = Model(energy, a.recipe, a.event).finish(x)
        share = torch.isin(judge.probabilities(x).argmax(1), torch.tensor(PAIR)).float().mean()
        composed[name] = (x, float(share))
    return composed


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(demo, args=arguments, prog="ebm demo")
