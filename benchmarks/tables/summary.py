"""The table of the README."""

from __future__ import annotations

from rows import Rows

from tables.anomalies import above, official_marks
from tables.goals import BASELINES, number, table


def summary() -> str:
    """A row for each use of the library."""
    lines = []
    files = {"digits": "8×8 digits", "demo-latent": "8×8 digits", "mnist-conditional": "MNIST"}
    for file, data in (files | {"fashion": "Fashion-MNIST", "cifar10-small": "CIFAR-10"}).items():
        fd = Rows.read(file).by_system("fd")
        (system,) = fd.keys() - set(BASELINES)
        best, floor = f"{number(fd['best mixture'])}, mixture of Gaussians", f"floor {number(fd['floor'])}"
        lines.append((data, f"`{system}`", "FD", number(fd[system]), best, floor))
    photographs = Rows.read("cifar10-energy-resumed").one(system="cifar10-energy", metric="fd")
    lines.append((data, "`cifar10-energy`, as it comes with the package", "FD", number(photographs), best, floor))
    latent, ring = Rows.read("mnist-latent-small"), Rows.read("ratios").all(data="ring").by_system("kl")
    fd = latent.by_system("fd")
    floor = f"floor {number(latent.one(system='stages', metric='fd_posterior'))}, posteriors"
    lines.append(("MNIST", "`mnist-latent-small`", "FD", number(fd["stages"]), f"{number(fd['lebm'])}, LEBM", floor))
    count = above("official", official_marks())
    cells = "digits ahead of LEBM and VAE", f"{count} of 5", "", f"target 4 of 5{', **missed**' * (count < 4)}"
    lines.append(("MNIST without a digit", "`mnist-anomaly-small`", *cells))
    cells = number(ring["stages"], 3), f"{number(ring['one-stage'], 3)}, one stage", "target ≤ 0.2"
    lines.append(("ring", "`fit_staged_prior`", "KL, nats", *cells))
    speed = number(Rows.read("bench").one(variant="mlp", kind="equal"), 2)
    cells = "times as fast", speed, "1, the fastest rival", "target ≥ 1.15"
    lines.append(("", "compiled Langevin chains, MLP", *cells))
    return table("data | system | metric | value | best baseline | floor or target", lines)
