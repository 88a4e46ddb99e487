"""Latent models, system by system."""

from __future__ import annotations

from rows import Rows

from energybased.recipes import SYSTEMS
from tables.goals import number, table

DATA = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
LATENT = {"mnist": "mnist-latent-small", "fashion-mnist": "fashion-latent-small", "cifar10": "cifar10-latent-small"}
STAGED = ("stages", "stages-afterwards", "stages-moment-matched", "stages-encoder")
MOST = 10  # stages
BASE = "base of the prior"


def systems() -> str:
    lines = []
    for data, file in LATENT.items():
        found = Rows.read(file)
        for system in (system for system in SYSTEMS if found.all(system=system)):
            rows = {r["metric"]: r for r in found.all(system=system)}
            after = ", ".join(number(rows[f"fd_stage_{k}"]) for k in range(1, MOST) if f"fd_stage_{k}" in rows)
            rest = (number(rows[metric]) for metric in ("fd_stage_0", "fd_posterior"))
            spent = number(rows["mse"], 4), number(rows["minutes"])
            lines.append((DATA[data], named(system), number(rows["fd"]), after, *rest, *spent))
    head = "data | system | FD | after the stages before the last | FD of the base | FD of posteriors | MSE | minutes"
    return table(head, lines)


def ablation() -> str:
    found, lines = Rows.read("ablation"), []
    for r in found.all(metric="fd"):
        count, minutes = (found.one(variant=r["variant"], metric=name) for name in ("active_stages", "minutes"))
        lines.append((r["variant"], number(r), f"{count['value']:.0f}", number(minutes)))
    return table("MNIST, a third of the updates | FD | active stages | minutes", lines)


def prior_fit() -> str:
    found, lines = Rows.read("prior_fit"), []
    for name in dict.fromkeys(r["system"] for r in found):
        prior, base = ({r["metric"]: r for r in found.all(system=name, variant=v)} for v in ("prior", BASE))
        system = name.removeprefix("digits-latent").removeprefix("-") or "stages-encoder"  # the recipe's own
        auroc = number(prior["prior_c2st"], 3), number(base["prior_c2st"], 3) if base else ""
        chance = (f"{prior[metric]['value']:.2g}" for metric in ("prior_c2st_p", "prior_mmd_p", "prior_ksd_p"))
        lines.append((float(prior["prior_c2st"]["value"]), (named(system), *auroc, *chance, number(prior["minutes"]))))
    head = "system | prior: AUROC | its base: AUROC | p, classifier | p, MMD | p, KSD | minutes"
    return table(head, [line for _, line in sorted(lines)])


def named(system: str) -> str:
    return f"**{SYSTEMS[system].words}**" if system in STAGED else SYSTEMS[system].words
