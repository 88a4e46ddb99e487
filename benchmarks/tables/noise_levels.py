"""The recipes with one energy for all levels of noise, with their targets."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping

from rows import Rows

from tables.goals import BASELINES, GOALS, Bound, Line, goal, number, numbers, percent, table, unmeasured

TARGETS: Mapping[str, Mapping[str, tuple[Bound, Bound | None]]] = {  # accuracies are negated, as lower bounds
    "cifar10-energy": {
        "fd": ((14.0, "≤ 14"), (9.0, "≤ 9")),
        "auroc": ((-0.8, "≥ 0.80, none below 0.5"), (-0.9, "≥ 0.90")),
        "class_asked": ((-0.65, "≥ 65 %"), (-0.85, "≥ 85 %")),
        "accuracy": ((-0.75, "≥ 75 %"), (-0.85, "≥ 85 %")),
    },
    "images-energy": {},
    "mnist-energy": {"fd": ((1.9, "< 1.9, by chains"), (0.95, "half of it"))},
    "fashion-energy": {
        "fd": ((22.9, "< 22.9, by chains"), (11.45, "half of it")),
        "confident": ((-0.65, "≥ 65 %"), (-0.72, "≥ 72 %")),
    },
}
RESUMED = "-resumed"  # ends the name of the results of a run that trained on from the weights of another one
UNSEEN = ("textures", "constant", "uniform", "interpolated")
WORDS = {
    "class_asked": "samples whose class for the judge is the class asked for",
    "confident": "samples with judge confidence > 0.9",
    "accuracy": "accuracy of the classes, test split",
}


def noise_levels() -> str:
    lines = [(recipe, *line) for recipe in TARGETS for line in of_recipe(recipe, Rows.read(recipe))]
    further = {recipe: Rows.read(f"{recipe}{RESUMED}") for recipe in TARGETS}
    lines += [
        (f"{recipe}, trained on", *line) for recipe, rows in further.items() if rows for line in of_recipe(recipe, rows)
    ]
    lines += [(recipe, *line) for recipe in TARGETS for line in updates(recipe)]
    return table(f"`ebm train` | {GOALS}", lines)


def of_recipe(recipe: str, rows: Rows) -> Iterator[Line]:
    targets = TARGETS[recipe]
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
    yield from of_folder(recipe, rows)
    yield from detection(recipe, rows)
    for metric, words in WORDS.items():
        row = rows.find(metric=metric, system=recipe)
        if row is not None:
            target, stretch = targets.get(metric, (None, None))
            yield goal(words, percent(row), -row["value"], target, stretch)
    yield from beside_the_energy(recipe, rows)


def of_folder(recipe: str, rows: Rows) -> Iterator[Line]:
    """The kernel distance in Lite0's features, which is right for few pictures, beside that of the best mixture."""
    found = rows.all(metric="kd_lite0", split="test").by_system("kd_lite0")
    if recipe in found:
        best, words = found["Gaussian"]["value"], "kernel distance in Lite0's features, times 1,000"
        errors = rows.all(split="test").by_system("kd_error_lite0")
        names = [name for name in (recipe, *BASELINES) if name in found]
        told = [f"{1000 * found[name]['value']:.1f} ± {1000 * errors[name]['value']:.1f}" for name in names]
        beside = [system for system in BASELINES if system in found]
        mine = f"{told[0]} ({'; '.join(f'{n} {v}' for n, v in zip(beside, told[1:], strict=True))})"
        yield goal(words, mine, found[recipe]["value"], (best, "below the Gaussian's"))


def detection(recipe: str, rows: Rows) -> Iterator[Line]:
    """The mean AUROC over the sets that nothing was chosen on, and each of them."""
    found = {kind: rows.find(metric=f"auroc_{kind}", system=recipe) for kind in UNSEEN}
    aurocs = [row["value"] for row in found.values() if row is not None]
    if len(aurocs) == len(UNSEEN):
        mean, least = statistics.fmean(aurocs), min(aurocs)
        told = f"{mean:.3f}; " + ", ".join(f"{kind} {value:.3f}" for kind, value in zip(found, aurocs, strict=True))
        within = -mean if least >= 0.5 else 0.0  # none may be below .5
        target, stretch = TARGETS[recipe].get("auroc", (None, None))
        yield goal("AUROC, mean over sets that nothing was chosen on", told, within, target, stretch)


def beside_the_energy(recipe: str, rows: Rows) -> Iterator[Line]:
    """The network without the energy, what samples are taken for, and the times of updates."""
    free = Rows.read("free_network").find(metric="fd", system=f"{recipe}, its denoiser")
    own = rows.find(metric="fd", system=recipe, split="test")
    if free is not None and own is not None:
        ratio = own["value"] / free["value"]
        minutes = [Rows.read("free_network").one(metric="minutes", system=free["system"]), rows.one(metric="minutes")]
        spent = "; ".join(
            f"{number(row)} after {time['value']:.0f} CPU minutes"
            for row, time in zip((own, free), minutes[::-1], strict=True)
        )
        yield goal(
            "FD, as a multiple of that of the denoiser it began as", f"{ratio:.2f} ({spent})", ratio, (1.2, "≤ 1.2")
        )
    training = rows.one(metric="minutes")["command"].rpartition(", python ")[0]
    named = Rows.read("named").all(metric="named_rightly", system=recipe)
    for row in named.all(kind="samples"):
        if row["command"].rpartition(", python ")[0] != training:  # samples of another run
            continue
        control = named.find(kind="random test pictures")
        beside = "" if control is None else f" ({percent(control)} of test pictures)"
        words = "samples named rightly from the picture alone"
        yield goal(words, f"{percent(row)}{beside}", -row["value"], (-0.4, "≥ 40 %"), (-0.6, "≥ 60 %"))


def updates(recipe: str) -> Iterator[Line]:
    """The times of updates, if they were measured."""
    rows = Rows.read("level_updates").all(metric="update_ratio", system=recipe)
    plain, labelled = (rows.find(variant=f"DenoisingScoreMatching, {kind}") for kind in ("no classes", "classes"))
    if plain is not None and labelled is not None:
        words = "time of an update by score matching, in updates of the denoiser: no classes in both"
        yield goal(words, number(plain, 2), plain["value"], (2.2, "≤ 2.2"), (2.0, "≤ 2"))
        speeds = Rows.read("level_updates").all(metric="examples_per_second", system=recipe)
        ratio = speeds.one(variant=plain["variant"])["value"] / speeds.one(variant=labelled["variant"])["value"]
        words = "the same with classes and their cross entropy, in updates without"
        yield goal(words, f"{ratio:.2f}", ratio, (1.3, "≤ 1.3"))
