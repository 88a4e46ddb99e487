"""The card of a model that comes with the package. All in it is read from its run, its file and results/."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rows import CHOSEN, ROOT, Row, Rows, commit, spent, trained

from energybased.models.file import digest, read_model
from energybased.recipes import RECIPES, Recipe
from energybased.recipes.noise_conditional import NoiseConditionalRecipe
from energybased.training import Run

LEFT_OUT = ("auprc", "fpr95")  # which say what the AUROC says


def card(run: Run, recipe: Recipe, model: Any, file: Path, change: str) -> str:
    """The card as Markdown.

    Args:
        run: the run.
        recipe: its recipe, as it is shipped.
        model: its model.
        file: the shipped file.
        change: the scores that rounding to bfloat16 changes, and by how much, in words.
    """
    name = recipe.recipe
    what = " ".join(first_paragraph(thing) for thing in (RECIPES.get(name, type(recipe)), type(model)))
    table = (f"| {title} | {told} |" for title, told in facts(run, recipe, model, file, change).items() if told)
    use = (
        "For teaching, for research on energy-based models, and as the beginning of other trainings (`ebm train "
        f"{name} --from {name}`). It has learned `{model.spec.name}` alone; nothing is known of it beside the values "
        "above. Its samples may resemble training examples, its scores and classes of other data may mean nothing, and "
        "it is not fit for decisions that concern people."
    )
    head = (f"# {name}", "", what, "", "```", f"ebm sample {name}", "```", "", "| | |", "|---|---|")
    parts = (*head, *table, "", "## What it reaches", "", *measured(run), "", "## What it is for", "", use, "")
    return "\n".join(parts)


def facts(run: Run, recipe: Recipe, model: Any, file: Path, change: str) -> dict[str, str]:
    """What the weights are and where they come from, by title; arguments as those of `card`."""
    spec = model.spec
    count = sum(p.numel() for part in model.origin.parts.values() for p in part.parameters())
    levels = isinstance(recipe, NoiseConditionalRecipe)
    chosen = [f"`{name}` {getattr(recipe, name)}" for name in CHOSEN if levels and name != "sampler"]
    splits = "training and validation splits" if recipe.train_on_validation else "training split"
    hashes = run.recipe["data_sha256"], digest({}, read_model(file).weights)
    return {
        "weights": f"{count:,} parameters in bfloat16, {file.stat().st_size / 1e6:.1f} MB",
        "data": f"the {splits} of `{spec.name}`: {' x '.join(map(str, spec.event))}, {model.classes} classes",
        "recipe": f"`{recipe.recipe}`, of the class `{type(recipe).__name__}`",
        "command": f"`{trained(run)}`",
        "training": f"{int(run.newest_checkpoint().name)} updates, {spent(run) / 60:.0f} CPU minutes",
        "machine": f"{run.recipe['machine']}, torch {run.recipe['versions']['torch']}",
        "chosen after the training": ", ".join(chosen),
        "rounding to bfloat16": f"changes the scores {change}",
        "commit": f"`{commit()}`, at which `python benchmarks/ship.py RUN` wrote this",
        "SHA-256": f"of the data `{hashes[0]}`, of the weights `{hashes[1]}`",
        "licence": f"{licence()}, as the library; the data have terms of their own",
    }


def first_paragraph(thing: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def licence() -> str:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]


def measured(run: Run) -> Iterator[str]:
    """A table of the model's values in the file of results/ that has the CPU minutes of this run."""
    name, seed = run.recipe["recipe"], run.recipe["settings"]["seed"]
    own = {file: [r for r in Rows.read(file) if r["system"] == name and seed in r["seeds"]] for file in Rows.files()}
    minutes = round(spent(run) / 60, 4)
    found = [f for f, rows in own.items() if any(r["metric"] == "minutes" and value(r, seed) == minutes for r in rows)]
    if not found:
        yield "No file of results/ has values of this run."
        return
    rows = [row for row in own[found[0]] if not row["metric"].startswith(LEFT_OUT)]
    yield from ("| metric | split | value | how |", "|---|---|---|---|")
    for row in rows:
        told = row["protocol"].replace("|", "\\|")
        yield f"| {row['metric']} | {row.get('split', '')} | {value(row, seed)} | {told} |"
    by = [", ".join(f"`{one}`" for one in dict.fromkeys(row[name] for row in rows)) for name in ("command", "commit")]
    yield ""
    yield f"Measured by {by[0]} at commit {by[1]}, before the weights were rounded. results/{found[0]}.json has"
    yield "the baselines too."
    yield "A Fréchet distance in the features of a judge (`fd`) is not an FID, and cannot be compared with one."


def value(row: Row, seed: int) -> float | None:
    """The value of a row that belongs to a seed."""
    return row["per_seed"][row["seeds"].index(seed)]
