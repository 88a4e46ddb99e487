"""What models over levels of noise do beside sampling, with targets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from rows import Row, Rows

from tables.goals import GOALS, Line, counts, goal, number, percent, table
from tables.noise_levels import TARGETS


def level_tasks() -> str:
    """What the models over levels of noise do beside sampling, as they come with the package or were trained."""
    lines = [(recipe, *line) for recipe in TARGETS for line in of_tasks(recipe)]
    return table(f"model | {GOALS}", lines) if lines else "These have not been measured."


def of_tasks(recipe: str) -> Iterator[Line]:
    rows = Rows.read(f"{recipe}-tasks")
    yield from unconditional(recipe, rows)
    yield from restored(recipe, rows.all(split="test"))
    yield from composed(recipe)
    yield from attacked(recipe)
    yield from likelihood(recipe, rows)


def unconditional(recipe: str, rows: Rows) -> Iterator[Line]:
    """The distance of samples without a class."""
    found = rows.find(metric="fd", variant="guidance 0", system=recipe)
    if found is not None:
        yield goal(f"FD of {counts([found])} samples without a class", number(found))


def restored(recipe: str, rows: Rows) -> Iterator[Line]:
    """Inpainted and denoised pictures, and pictures mapped to other classes, beside what needs no energy."""
    parts = (
        ("inpainted_accuracy", "right half inpainted, class not told: the judge is right", percent),
        ("inpainted_psnr", "the same: PSNR in dB", number),
        ("denoised_psnr", "salt and pepper, 30 %: PSNR in dB", number),
        ("mapped", "mapped to another class: the judge gives it", percent),
        ("mapped_distance", "the same: root mean square distance to the picture", partial(number, digits=3)),
    )
    for metric, words, told in parts:
        found = rows.by_system(metric)
        if recipe not in found:
            continue
        others = {name: row for name, row in found.items() if name not in (recipe, "untouched")}
        beside = f"{words} ({', '.join(f'{name} {told(row)}' for name, row in others.items())})" if others else words
        whole = f"; untouched {told(found['untouched'])}" if "untouched" in found else ""
        yield goal(beside, f"{told(found[recipe])}{whole}, {examples(found[recipe])} pictures")


def composed(recipe: str) -> Iterator[Line]:
    """What the judge takes samples of composed classes for."""
    rows = Rows.read("compositions").all(system=recipe)
    for variant, formula in (("mixture", "the mixture of E(x, a) and E(x, b)"), ("contrast", "2 E(x, a) − E(x, b)")):
        found = {metric: rows.find(metric=metric, variant=variant) for metric in ("either", "first", "rarer")}
        either, first, rarer = found.values()
        if either is None or first is None or rarer is None:
            continue
        told = f"{percent(either)}, the rarer one {percent(rarer)}" if variant == "mixture" else percent(first)
        named = "a or b" if variant == "mixture" else "a"
        yield goal(f"samples of {formula}, 10 pairs of classes: the judge names {named}", told)


def examples(row: Row) -> str:
    """The number of examples, the first that the protocol names."""
    return re.findall(r"\b\d+\b", row["protocol"])[0]


def attacked(recipe: str) -> Iterator[Line]:
    """The classifier under attack in the largest change of a pixel, by its logits and with noise added first."""
    rows = Rows.read("robust").all(system=recipe, split="test")
    for row in rows:
        kind = row["metric"].removeprefix("robust_linf_")
        if kind == row["metric"] or not kind.endswith(("_least", "_sampler")):
            continue
        epsilon, end = kind.split("_")
        logits = end == "least"
        clean = rows.find(metric="robust_clean" if logits else "robust_clean_sampler", variant=row["variant"])
        how = "the logits" if logits else f"noise added first ({row['variant']})"
        without = "" if clean is None else f" ({percent(clean)} without attack)"
        words = f"accuracy under all attacks, ℓ∞ {float(epsilon) * 255:.0f}/255, {how}"
        yield goal(words, f"{percent(row)}{without}, {row['n']} pictures")


def likelihood(recipe: str, rows: Rows) -> Iterator[Line]:
    """Bits a dimension, by annealing from both ends and by noisy data."""
    found = {side: rows.find(metric=f"bits_per_dim{side}", system=recipe) for side in ("", "_backward", "_levels")}
    below, above, levels = found.values()
    if below is None or above is None or levels is None:
        return
    gap = abs(levels["value"] - (below["value"] + above["value"]) / 2)
    told = f"{number(levels, 3)}; {number(below, 3)}, {number(above, 3)}; apart by {gap:.3f}"
    noise = re.search(r"standard deviation ([\d.]+)", levels["protocol"])
    at = f" at σ = {noise[1]}" if noise else ""
    what = f"bits a dimension{at}: log Z by noisy data; by annealing forwards, backwards; the first less their mean"
    yield goal(what, told, gap, (0.1, "≤ 0.1 apart"), (0.02, "≤ 0.02"))
    others = {name: rows.find(metric="bits_per_dim", system=name) for name in ("Gaussian", "mixture of Gaussians")}
    beside = ", ".join(f"{name} {number(row, 3)}" for name, row in others.items() if row is not None)
    if beside:
        yield goal("the same of densities that are fitted to the data", beside)
