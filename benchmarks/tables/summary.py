"""The table of the README."""

from __future__ import annotations

import statistics

from rows import Row, Rows

from energybased.recipes import SYSTEMS
from tables.anomalies import above, official_marks
from tables.goals import BASELINES, number, table
from tables.latent import STAGED
from tables.ours import OWN, is_rival
from tables.tabular import OURS, TARGETS, means

FASTER = 1.15  # target of the compiled chains
WITHOUT_CHAINS = {  # file of a recipe -> that of the recipe over levels of noise on the same data, and its name
    "mnist-conditional": ("mnist-energy-resumed", "`mnist-energy`, as it comes with the package"),
    "fashion": ("fashion-energy", "`fashion-energy`"),
    "cifar10-small": ("cifar10-energy-resumed", "`cifar10-energy`, as it comes with the package"),
}


def summary() -> str:
    """A row for each use of the library."""
    lines = []
    files = {"digits": "8×8 digits", "demo-latent": "8×8 digits", "mnist-conditional": "MNIST"}
    for file, data in (files | {"fashion": "Fashion-MNIST", "cifar10-small": "CIFAR-10"}).items():
        fd = Rows.read(file).by_system("fd")
        (system,) = fd.keys() - set(BASELINES)
        rivals = {"mixture of Gaussians": fd["best mixture"]} | trained_rivals(system)
        best, floor = least(rivals), f"floor {number(fd['floor'])}"
        lines.append((data, f"`{system}`", "FD", number(fd[system]), best, floor))
        name, words = WITHOUT_CHAINS.get(file, ("", ""))
        other = Rows.read(name).find(metric="fd", system=words.split("`")[1]) if name else None
        if other is not None:
            lines.append((data, words, "FD", number(other), best, floor))
    latent, ring = Rows.read("mnist-latent-small"), Rows.read("ratios").all(data="ring").by_system("kl")
    fd = latent.by_system("fd")
    floor = f"floor {number(latent.one(system='stages', metric='fd_posterior'))}, posteriors"
    best = least({SYSTEMS[name].words: r for name, r in fd.items() if name in SYSTEMS and name not in STAGED})
    lines.append(("MNIST", "`mnist-latent-small`", "FD", number(fd["stages"]), best, floor))
    count = above("official", official_marks())
    cells = "digits ahead of LEBM and VAE", f"{count} of 5", "", f"target 4 of 5{', **missed**' * (count < 4)}"
    lines.append(("MNIST without a digit", "`mnist-anomaly-small`", *cells))
    lines += detector()
    cells = number(ring["stages"], 3), f"{number(ring['one-stage'], 3)}, one stage", "target ≤ 0.2"
    lines.append(("ring", "`fit_staged_prior`", "KL, nats", *cells))
    speed = Rows.read("bench").one(variant="mlp", kind="equal")
    goal = f"target ≥ {FASTER}{', **missed**' * (speed['value'] < FASTER)}"
    cells = "times as fast", number(speed, 2), "1, the fastest rival", goal
    lines.append(("", "compiled Langevin chains, MLP", *cells))
    return table("data | system | metric | value | best baseline | floor or target", lines)


def detector() -> list[tuple[str, ...]]:
    """The detector on the tables of ADBench, if it was measured."""
    values = {s: 100 * statistics.fmean(v.values()) for s, v in means("published", "semi-supervised", "auroc").items()}
    if OURS not in values:
        return []
    mine = values.pop(OURS)
    best = max(values, key=lambda name: values[name])
    target, _ = TARGETS["semi-supervised"][0]
    goal = f"target > {target}, DTE-NP published{', **missed**' * (mine <= target)}"
    count = len(means("published", "semi-supervised", "auroc")[OURS])
    return [(f"{count} tables", f"`{OURS}`", "AUROC, %", f"{mine:.1f}", f"{values[best]:.1f}, {best}", goal)]


def trained_rivals(system: str) -> dict[str, Row]:
    """The rows of networks that were trained beside a system."""
    return {
        name: r for name, r in Rows.read("mnist-rivals").by_system("fd").items() if system == OWN and is_rival(name)
    }


def least(rows: dict[str, Row]) -> str:
    """The row of the least value, and its name."""
    name = min(rows, key=lambda name: rows[name]["value"])
    return f"{number(rows[name])}, {name}"
