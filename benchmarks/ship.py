"""A model that comes with the package: `python benchmarks/ship.py RUN` writes it and its card.

src/energybased/weights/RECIPE.safetensors has the averaged weights of the finished run in bfloat16, and RECIPE.md says
what they are (`card.py`). Guidance, levels, score and chains of a recipe over levels of noise are those that the
recipe has now, as in `photographs.py`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import torch
from card import card
from rows import CHOSEN

from energybased.errors import UserError, require
from energybased.models import shipped
from energybased.recipes import Recipe, find_recipe
from energybased.recipes.noise_conditional import NoiseConditionalRecipe
from energybased.runs.data import run_data
from energybased.runs.fitted import with_fitted
from energybased.runs.load import load, recipe_of, run_of

LARGEST = 30_000_000  # bytes of all shipped models together
COMPARED = 100  # test examples whose scores are compared before and after rounding


def main(path: str) -> None:
    run = run_of(path)
    require(run.outcome == "finished", f"{path} is {run.outcome}: only a finished run is shipped")
    require(run.recipe["data"] == "named", f"{path} was trained on data that others do not have")
    recipe, data = shipped_recipe(trained := recipe_of(run)), run_data(run, trained, None)
    model: Any = load(run.path, recipe=recipe)
    if isinstance(recipe, NoiseConditionalRecipe) and recipe != replace(trained, data_root=None):
        model = replace(model, fitted=None)  # which was fitted at another level
    model = with_fitted(model, recipe, data)
    file = shipped.FOLDER / f"{recipe.recipe}.safetensors"
    model.export(file, dtype=torch.bfloat16)
    file.chmod(0o644)  # safetensors writes files that only their owner can read
    size = sum(other.stat().st_size for other in shipped.shipped().values())
    if size > LARGEST:
        file.unlink()
        raise UserError(f"shipped models take {size / 1e6:.1f} MB with {file.name}, above {LARGEST / 1e6:.0f} MB")
    x = data.values(data.test.some(COMPARED))
    before, after = (one.score(x, generator=torch.Generator().manual_seed(0)) for one in (model, load(file)))
    change = f"of {len(x)} test examples by at most {float((after - before).abs().max()):.2g}"
    change += f"; their standard deviation is {float(before.std()):.2g}"
    file.with_suffix(".md").write_text(card(run, recipe, model, file, change))
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, with all others {size / 1e6:.1f} MB")


def shipped_recipe(recipe: Recipe) -> Recipe:
    """The recipe of a run with the present choices for its trained model, and without paths of a machine."""
    recipe = replace(recipe, data_root=None)
    if not isinstance(recipe, NoiseConditionalRecipe):
        return recipe
    now = find_recipe(recipe.recipe)
    return replace(recipe, **{name: getattr(now, name) for name in CHOSEN})


if __name__ == "__main__":
    main(sys.argv[1])
