"""The page of an energy over data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from energybased.data import DataSet
from energybased.data.pictures import grid, sheet
from energybased.evaluation.detection import out_of_distribution_inputs
from energybased.report.charts import histograms
from energybased.report.page import Page, detection, note, picture, repeat, table, training
from energybased.runs.film import film
from energybased.runs.model import Model
from energybased.training.run import Run

CURVES = {
    "gap": "E(data) - E(negatives)",
    "separation": "P(E(data) < E(negatives))",
    "chain_gradient": "gradient norm in the chains",
}


def energy_report(
    run: Run,
    model: Model,
    data: DataSet,
    rows: Sequence[dict[str, Any]],
    composed: dict[str, Tensor] | None = None,
    command: str = "",
) -> str:
    """The page of a run over pictures: what it draws, how, what it finds strange, and how it was trained."""
    page = Page(f"An energy-based model of {data.name}")
    if data.is_image:
        page.add("Samples beside data", *_samples(model, data))
    distances = [row for row in rows if row["what"].startswith("fd_")]
    if distances:
        page.add(
            "How good they are",
            table(distances, ("samples of", "distance", "protocol"), ("fd_buffer", "fd_fresh", "fd_long")),
            note("Fréchet distance to held-out data in the features of a small classifier; less is better."),
        )
    if data.is_image:
        page.add("From noise to a sample", *_film(model))
    page.add("Energies of ordinary and of strange inputs", *_energies(model, data), *detection(rows))
    if composed:
        page.add("Composed", *_composed(composed))
    page.add("Training", *training(run, CURVES))
    page.add("How to repeat it", *repeat(run, command))
    return page.render()


def _samples(model: Model, data: DataSet) -> list[str]:
    length = model.recipe.sampler.length
    apart = ", a class a row" if 0 < model.classes <= 80 else ""
    drawn = f"drawn by the model: fresh chains of {length} steps from noise, not picked{apart}"
    figures = [picture(sheet(model.sample(80), model.classes), drawn)]
    figures.append(picture(sheet(data.test.pixels(slice(80)), model.classes), "held-out data"))
    return ['<div class="pair">', *figures, "</div>"]


def _film(model: Model) -> list[str]:
    strip = film(model)
    chains, frames = strip.shape[:2]
    steps = model.recipe.sampler.length
    told = f"{chains} chains of {steps} steps, ever more of them between two frames; last, the noise taken off"
    return [picture(grid(strip.flatten(0, 1), columns=frames), told)]


def _energies(model: Model, data: DataSet) -> list[str]:
    groups = {"train": data.train.pixels(slice(len(data.test))), "held out": data.test.pixels()}
    if data.is_image:
        groups |= out_of_distribution_inputs(data.test.pixels())
    return [
        histograms({name: model.score(x) for name, x in groups.items()}, "energy (low: likely)"),
        note("Training and held-out data should lie together. Values beyond the right edge are drawn at it."),
    ]


def _composed(composed: dict[str, Tensor]) -> list[str]:
    figures = [picture(grid(x, columns=8), caption) for caption, x in composed.items()]
    return ['<div class="pair">', *figures, "</div>"]
