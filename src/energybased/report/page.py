"""A run as one HTML file that needs nothing beside it."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import Template
from types import MappingProxyType
from typing import Any

from torch import Tensor

from energybased.data.pictures import png_uri
from energybased.recipes import find_recipe
from energybased.report.charts import curves
from energybased.runs.settings import differences, read_recipe
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


def table(
    rows: Sequence[dict[str, Any]],
    head: Sequence[str],
    ours: Sequence[str] = (),
    names: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A table of measured rows: name, value, and how it was measured."""
    cells = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = ""
    for row in rows:
        mark = ' class="ours"' if row["what"] in ours else ""
        name, protocol = html.escape((NAMES | dict(names)).get(row["what"], row["what"])), html.escape(row["protocol"])
        body += f'<tr{mark}><td>{name}</td><td class="number">{row["value"]:.2f}</td><td>{protocol}</td></tr>'
    return f"<table><tr>{cells}</tr>{body}</table>"


def repeat(run: Run, command: str = "") -> list[str]:
    """The command that makes this run again, and every setting."""
    facts = run.recipe
    recipe = read_recipe(facts["settings"])
    again = " ".join(["ebm train", recipe.recipe, *differences(recipe, find_recipe(recipe.recipe))])
    return [
        f"<pre>{html.escape(command or again)}</pre>",
        f"<details><summary>every setting</summary><pre>{html.escape(json.dumps(facts, indent=1))}</pre></details>",
    ]


def detection(rows: Sequence[dict[str, Any]]) -> list[str]:
    """How well energies tell strange inputs from held-out data."""
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


def training(run: Run, shown: Mapping[str, str]) -> list[str]:
    """Curves of the metrics that are shown, each with what it is, and what the guard did."""
    metrics, events = run.lines("metrics.jsonl"), run.lines("events.jsonl")
    trips = [line for line in events if line["event"] in ("rollback", "stop")]
    told = [note(f"step {line['at']}: {line['reason']}") for line in trips]
    back = sum(line["event"] == "rollback" for line in trips)
    told.insert(0, note(f"The guard went back {back} times." if trips else "The guard had nothing to do."))
    charts = []
    for name, label in shown.items():
        points = [(line["step"], line[name]) for line in metrics if name in line]
        if points:
            x, y = zip(*points, strict=True)
            charts.append(curves({name: (x, y)}, label, [line["at"] for line in trips]))
    last = metrics[-1] if metrics else {"step": 0, "seconds": 0.0}
    return [note(f"{last['step']} updates in {last['seconds']:.0f} s."), *charts, *told]
