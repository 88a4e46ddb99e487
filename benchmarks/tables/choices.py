"""What was chosen for the recipes on validation splits."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from rows import Rows

from energybased.recipes import find_recipe
from tables.goals import Line, table


def choices() -> str:
    head = "recipe | by | values, the best first | the recipe has"
    return table(head, [*scores(), *denoising_steps()])


def scores() -> Iterator[Line]:
    """The scores of detection: the mean AUROC on flipped and on inverted pictures."""
    rows = Rows.read("score_choice")
    for recipe in dict.fromkeys(r["system"] for r in rows):
        found = rows.all(system=recipe)
        names = dict.fromkeys(r["score"] for r in found)
        means = {name: statistics.fmean(r["value"] for r in found.all(score=name)) for name in names}
        values = "; ".join(f"{name} {means[name]:.4f}" for name in sorted(means, key=means.__getitem__, reverse=True))
        chosen = find_recipe(recipe).score_by
        has = chosen if chosen in means else f"{chosen}, which has no row yet"
        yield recipe, "mean AUROC on flipped and inverted pictures", values, has


def denoising_steps() -> Iterator[Line]:
    """Numbers of denoising steps: the FD of samples."""
    rows = Rows.read("denoise").all(metric="fd")
    for recipe in dict.fromkeys(r["system"] for r in rows):
        found = sorted(rows.all(system=recipe), key=lambda r: r["value"])
        values = "; ".join(f"{r['times']}: {r['value']:.1f}" for r in found)
        yield recipe, "FD of 2,000 samples, by denoising steps", values, f"{find_recipe(recipe).sampler.denoise}"
