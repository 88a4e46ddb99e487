"""A run as one HTML file that needs nothing beside it."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from string import Template
from typing import Any

from torch import Tensor

from energybased.data import DataSet
from energybased.data.pictures import grid, png_uri, sheet
from energybased.evaluation.detection import strange_inputs
from energybased.recipes import find_recipe
from energybased.report.charts import curves, histograms
from energybased.runs.film import film
from energybased.runs.model import Model
from energybased.runs.settings import differences
from energybased.training.run import Run

PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:0 auto;padding:1rem;color:#1f2328;background:#fff}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
figure{margin:.5rem 0}figcaption,.note{color:#57606a;font-size:.9rem}
img{width:100%;height:auto;image-rendering:pixelated;background:#eee}svg{width:100%;height:auto}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
@media(max-width:30rem){.pair{grid-template-columns:1fr}}
table{border-collapse:collapse;width:100%;font-size:.92rem}td,th{
padding:.3rem .5rem;border-bottom:1px solid #d0d7de;text-align:left}
td.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
pre{background:#f6f8fa;padding:.75rem;overflow-x:auto;font-size:.82rem}tr.ours td{font-weight:600}
</style></head><body>
<h1>$title</h1>
$sections
</body></html>
""")

NAMES = {
    "fd_buffer": "energy: chains of the replay buffer",
    "fd_fresh": "energy: fresh chains",
    "fd_long": "energy: fresh chains, ten times as long",
    "fd_best_mixture": "best mixture of Gaussians",
    "fd_gaussian": "one Gaussian",
    "fd_floor": "floor: training digits themselves",
}


@dataclass
class Page:
    """Sections of HTML, in the order in which they are added."""

    title: str
    sections: list[str] = field(default_factory=list)

    def add(self, title: str, *bodies: str) -> None:
        self.sections.append(f"<section><h2>{html.escape(title)}</h2>{''.join(bodies)}</section>")

    def render(self) -> str:
        return PAGE.substitute(title=html.escape(self.title), sections="\n".join(self.sections))


def picture(x: Tensor, caption: str) -> str:
    caption = html.escape(caption)
    return f'<figure><img src="{png_uri(x)}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def note(text: str) -> str:
    return f'<p class="note">{html.escape(text)}</p>'


def table(rows: Sequence[dict[str, Any]], head: Sequence[str], ours: Sequence[str] = ()) -> str:
    """A table of measured rows: name, value, and how it was measured."""
    cells = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = ""
    for row in rows:
        mark = ' class="ours"' if row["what"] in ours else ""
        name, protocol = html.escape(NAMES.get(row["what"], row["what"])), html.escape(row["protocol"])
        body += f'<tr{mark}><td>{name}</td><td class="number">{row["value"]:.2f}</td><td>{protocol}</td></tr>'
    return f"<table><tr>{cells}</tr>{body}</table>"


def report(
    run: Run,
    model: Model,
    data: DataSet,
    rows: Sequence[dict[str, Any]],
    composed: dict[str, Tensor] | None = None,
    command: str = "",
) -> str:
    """The page of a run over pictures: what it draws, how, what it finds strange, and how it was trained."""
    facts = run.recipe
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
    page.add("Energies of ordinary and of strange inputs", *_energies(model, data), *_detection(rows))
    if composed:
        page.add("Composed", *_composed(composed))
    page.add("Training", *_training(run))
    page.add(
        "How to repeat it",
        f"<pre>{html.escape(command or _command(model))}</pre>",
        f"<details><summary>every setting</summary><pre>{html.escape(json.dumps(facts, indent=1))}</pre></details>",
    )
    return page.render()


def _command(model: Model) -> str:
    recipe = model.recipe
    return " ".join(["ebm train", recipe.recipe, *differences(recipe, find_recipe(recipe.recipe))])


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
        groups |= strange_inputs(data.test.pixels())
    return [
        histograms({name: model.score(x) for name, x in groups.items()}, "energy (low: likely)"),
        note("Training and held-out data should lie together. Values beyond the right edge are drawn at it."),
    ]


def _detection(rows: Sequence[dict[str, Any]]) -> list[str]:
    values = {row["what"]: row["value"] for row in rows}
    kinds = [name.split("_")[1] for name in values if name.startswith("auroc_") and name.endswith("_energy")]
    body = "".join(
        f'<tr><td>{kind}</td><td class="number">{values[f"auroc_{kind}_energy"]:.3f}</td>'
        f'<td class="number">{values[f"auroc_{kind}_mixture"]:.3f}</td></tr>'
        for kind in kinds
    )
    if not body:
        return []
    return [
        f"<table><tr><th>strange input</th><th>AUROC of the energy</th><th>of the best mixture</th></tr>{body}</table>",
        note("Area under the ROC curve, held-out data against as many strange ones; 1 is perfect, 0.5 is chance."),
    ]


def _composed(composed: dict[str, Tensor]) -> list[str]:
    figures = [picture(grid(x, columns=8), caption) for caption, x in composed.items()]
    return ['<div class="pair">', *figures, "</div>"]


def _training(run: Run) -> list[str]:
    metrics, events = run.lines("metrics.jsonl"), run.lines("events.jsonl")
    steps = [line["step"] for line in metrics]
    trips = [line for line in events if line["event"] in ("rollback", "stop")]
    marks = [line["at"] for line in trips]

    def curve(*names: str) -> dict[str, tuple[list[float], list[float]]]:
        return {name: (steps, [line[name] for line in metrics]) for name in names if metrics and name in metrics[0]}

    told = [
        note(f"The guard went back {sum(line['event'] == 'rollback' for line in trips)} times.")
        if trips
        else note("The guard had nothing to do.")
    ]
    told += [note(f"step {line['at']}: {line['reason']}") for line in trips]
    seconds = metrics[-1]["seconds"] if metrics else 0.0
    return [
        note(f"{steps[-1] if steps else 0} updates in {seconds:.0f} s."),
        curves(curve("gap"), "E(data) - E(negatives)", marks),
        curves(curve("separation"), "P(E(data) < E(negatives))", marks),
        curves(curve("chain_gradient"), "gradient norm in the chains", marks),
        *told,
    ]
