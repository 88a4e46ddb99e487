"""The recipes with one energy for all levels of noise, with their targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rows import Rows

from tables.goals import BASELINES, GOALS, Bound, Line, goal, number, numbers, percent, table, unmeasured

TARGETS: Mapping[str, Mapping[str, tuple[Bound, Bound | None]]] = {  # accuracies are negated, as lower bounds
    "cifar10-energy": {
        "fd": ((14.0, "≤ 14"), (9.0, "≤ 9")),
        "class_asked": ((-0.65, "≥ 65 %"), (-0.85, "≥ 85 %")),
        "accuracy": ((-0.75, "≥ 75 %"), (-0.85, "≥ 85 %")),
    },
    "mnist-energy": {"fd": ((1.9, "< 1.9, by chains"), (0.95, "half of it"))},
    "fashion-energy": {
        "fd": ((22.9, "< 22.9, by chains"), (11.45, "half of it")),
        "confident": ((-0.65, "≥ 65 %"), (-0.72, "≥ 72 %")),
    },
}
WORDS = {
    "class_asked": "samples whose class for the judge is the class asked for",
    "confident": "samples with judge confidence > 0.9",
    "accuracy": "accuracy of the lowest energy, test split",
}


def noise_levels() -> str:
    lines = [(recipe, *line) for recipe in TARGETS for line in of_recipe(recipe)]
    return table(f"`ebm train` | {GOALS}", lines)


def of_recipe(recipe: str) -> Iterator[Line]:
    rows, targets = Rows.read(recipe), TARGETS[recipe]
    if not rows:
        yield unmeasured("all", f"waits for `ebm train {recipe}`, `python benchmarks/photographs.py RUN`")
        return
    yield goal("CPU minutes of the training", number(rows.one(metric="minutes")))
    for metric, words in {"fd": "FD of samples by class", "fd_lite0": "the same in Lite0's features"}.items():
        found = rows.all(metric=metric, split="test").by_system(metric)
        if recipe in found:
            target, stretch = targets.get(metric, (None, None))
            yield goal(words, number(found[recipe]), found[recipe]["value"], target, stretch)
            beside = [system for system in BASELINES if system in found]
            if beside:
                yield goal(f"{words}: {'; '.join(beside)}", numbers(found[system] for system in beside))
    for metric, words in WORDS.items():
        row = rows.find(metric=metric, system=recipe)
        if row is not None:
            target, stretch = targets.get(metric, (None, None))
            yield goal(words, percent(row), -row["value"], target, stretch)
