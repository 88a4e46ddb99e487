"""`ebm report RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tyro

from energybased.data import DATASETS, DataSet
from energybased.data.holdout import split_holdout
from energybased.errors import require
from energybased.evaluation.judge import Judge
from energybased.latent import LatentModel
from energybased.recipes import LatentRecipe
from energybased.report.energy import energy_report
from energybased.report.latent import latent_report
from energybased.runs.judge import load_judge, train_judge
from energybased.runs.measure import found_again, measure
from energybased.runs.model import load
from energybased.runs.settings import read_recipe
from energybased.runs.train import same_data
from energybased.training.run import Run

JUDGES = Path(__file__).parents[3] / "results" / "judges"  # of a checkout, with which they come


def report(path: tyro.conf.Positional[Path], /, long: bool = False, judge: Path | None = None) -> int:
    """Measures a run and writes results.json and report.html into it.

    Args:
        path: the run.
        long: also measure chains ten times as long as the recipe's, of an energy over data.
        judge: a judge's run or file; if not given, the one that came with the project, or for the digits one trained
            on the spot. Without a judge no distances are measured.
    """
    model, opened = load(path), Run.open(path)
    require(opened.recipe["settings"] is not None, f"{path} was trained on parts of your own: it has no recipe")
    recipe = read_recipe(opened.recipe["settings"])
    require(not (long and isinstance(model, LatentModel)), "--long is for chains over data: this is a latent model")
    data = same_data(opened, recipe)
    rows = []
    if isinstance(recipe, LatentRecipe) and recipe.holdout_class is not None:
        data, strange = split_holdout(data, recipe.holdout_class)
        rows.append(found_again(model, data.test.pixels(), strange, f"class {recipe.holdout_class}", recipe.seed))
    found = _judge(judge, data, opened)
    if found is not None:
        rows += measure(model, opened, data, found, recipe.seed, long).rows
    if rows:
        opened.write_json("results.json", rows)
    if isinstance(model, LatentModel):
        told = latent_report(opened, model, data, rows)
    else:
        told = energy_report(opened, model, data, rows)
    opened.write_text("report.html", told)
    print(opened.path / "report.html")
    return 0


def _judge(path: Path | None, data: DataSet, run: Run) -> Judge | None:
    if path is not None:
        return load_judge(path)
    named = data.name in DATASETS and data.name == run.recipe["settings"]["data"]
    known = JUDGES / f"{data.name}.safetensors"
    if named and known.exists():
        return load_judge(known)
    if named and data.name == "digits":
        return train_judge(out=run.path / "judge")
    print(f"no distances: there is no judge of {data.name}; ebm train judge-..., then --judge runs/judge-...")
    return None


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(report, args=arguments, prog="ebm report")
