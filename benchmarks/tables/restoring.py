"""Pictures that are restored, or mapped to another class, with targets."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rows import Rows

from tables.goals import Line, goal, number, percent, unmeasured, waits
from tables.ours import OWN


def restoring() -> Iterator[Line]:
    rows = Rows.read("mnist-tasks").all(split="test")
    yield inpainted(rows)
    yield from denoised(rows)
    yield from mapped(rows)


def inpainted(rows: Rows) -> Line:
    """The right half of pictures, restored."""
    what, found = "right half inpainted, class not told: the judge is right", rows.by_system("inpainted_accuracy")
    if OWN not in found:
        return unmeasured(what, waits(OWN, "inpainting"), "> mean-fill, nearest neighbour", "5 points below untouched")
    filled, near, whole = (found[name]["value"] for name in ("mean-fill", "nearest neighbour", "untouched"))
    target = math.nextafter(max(filled, near), 1), f"> {filled:.1%}, mean-fill, and {near:.1%}, nearest neighbour"
    stretch = whole - 0.05, f"≥ {whole - 0.05:.1%}, 5 points below untouched"
    value, bounds = found[OWN]["value"], [(-bound, words) for bound, words in (target, stretch)]
    line = goal(what, percent(found[OWN]) + lead(rows), -value, *bounds)
    mean, error = (rows.find(system=OWN, metric=f"inpainted_lead{end}") for end in ("", "_error"))
    level = mean is not None and error is not None and abs(mean["value"]) < 2 * error["value"]
    return (*line[:-1], "level with the nearest neighbour, within two standard errors") if level else line


def lead(rows: Rows) -> str:
    """By how much the model is ahead of the nearest neighbour on the same pictures."""
    mean, error = (rows.find(system=OWN, metric=f"inpainted_lead{end}") for end in ("", "_error"))
    if mean is None or error is None:
        return ""
    return f", {100 * mean['value']:.1f} ± {100 * error['value']:.1f} points (standard error) above nearest neighbour"


def denoised(rows: Rows) -> Iterator[Line]:
    """Pictures with salt and pepper: the chain of least energy, and the mean of several."""
    what, found = "salt and pepper, 30 %: PSNR in dB", rows.by_system("denoised_psnr")
    ours = {"one chain": OWN} | {name: name for name in found if name.startswith("mean of")}
    network = Rows.read("mnist-rivals").find(system="U-Net", metric="denoised_psnr")
    stretch = None if network is None else (-network["value"], f"> {network['value']:.1f}, U-Net")
    for how, name in ours.items():
        if name not in found:
            yield unmeasured(f"{what}, {how}", waits(OWN, "denoising"), "> median filter, total variation", "> U-Net")
            continue
        median, smooth = (found[rival]["value"] for rival in ("median filter", "total variation"))
        words = f"> {median:.1f}, median filter, and {smooth:.1f}, total variation"
        value, target = found[name]["value"], (-math.nextafter(max(median, smooth), math.inf), words)
        yield goal(f"{what}, {how}", number(found[name]), -value, target, stretch)


def mapped(rows: Rows) -> Iterator[Line]:
    """Pictures that become those of another class."""
    called, change = "mapped to another class: the judge calls it", "its root-mean-square change a pixel, of [0, 1]"
    share, distance = rows.by_system("mapped"), rows.by_system("mapped_distance")
    if OWN not in share:
        yield unmeasured(called, waits(OWN, "class_mapping"), "≥ 80 %", "95 %")
        yield unmeasured(change, waits(OWN, "class_mapping"), "< a fresh sample of the class")
        return
    yield goal(called, percent(share[OWN]), -share[OWN]["value"], (-0.8, "≥ 80 %"), (-0.95, "95 %"))
    fresh = distance["fresh samples"]["value"]
    bound = math.nextafter(fresh, 0), f"< {fresh:.3f}, a fresh sample of the class"
    yield goal(change, number(distance[OWN], 3), distance[OWN]["value"], bound)
