"""What a denoiser gains from the class: `python benchmarks/class_gain.py RUN STEP` writes results/class_gain.json.

Checkpoint STEP is one of the first phase of a run over levels of noise. The denoising loss of its field on validation
pictures is measured with their class, and without: as one class more if the class is in the trunk, or as the mean over
the classes, weighted by softmax(-E(x | y, sigma)). The noise is the same for both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import tyro
from rows import Measured, trained
from torch import Tensor
from tyro.conf import Positional

import energybased as eb
from energybased.energies.class_in_trunk import ClassInTrunk
from energybased.energies.noise_conditional import NoiseConditional
from energybased.errors import require
from energybased.runs.evaluate import subject_of
from energybased.runs.load import run_of

PICTURES, PART = 512, 64
LEVELS = (0.1, 0.25, 0.5, 1.0, 2.0)


def main(
    path: Annotated[Positional[Path], tyro.conf.arg(name="RUN")],
    step: Annotated[Positional[int], tyro.conf.arg(name="STEP")],
    /,
) -> None:
    run = run_of(path)
    subject, energy = subject_of(run), eb.load(path, step=step).levels  # type: ignore[attr-defined]
    held = subject.data.validation.some(PICTURES)
    x, y = subject.data.domain.encode(subject.data.values(held)), held.y
    assert isinstance(y, Tensor)
    kind = "trunk" if isinstance(energy, ClassInTrunk) else "last layers"
    command = f"{trained(run)}, python benchmarks/class_gain.py RUN {step}"
    found = Measured("class_gain", [run.recipe["settings"]["seed"]], command)
    for level in LEVELS:
        losses = torch.stack([part_losses(energy, x, y, level, i) for i in range(0, PICTURES, PART)]).mean(0)
        for told, loss in zip(("with the class", "without"), losses.tolist(), strict=True):
            fields = {"data": subject.data.name, "system": run.recipe["recipe"], "split": "validation"}
            fields |= {"variant": f"class in the {kind}, {told}", "at": f"sigma {level:g}, update {step}"}
            found.add(loss, f"{PICTURES} validation pictures", 0.0, **fields, metric="denoising")
    found.write()


@torch.no_grad()
def part_losses(energy: NoiseConditional, x: Tensor, y: Tensor, level: float, first: int) -> Tensor:
    """The denoising loss with the class and without it, `(2,)`, of some of the pictures x `(n, *event)`."""
    x, y = x[first : first + PART], y[first : first + PART]
    require(energy.classes > 0, "the model has no classes")
    rng = torch.Generator().manual_seed(first)
    noise, sigma = torch.randn(x.shape, generator=rng), torch.full((len(x),), level)
    noisy = x + level * noise
    field, energies = energy.with_field(noisy, sigma, y)
    labels = range(energy.classes)
    if energies is None:
        free = energy.with_field(noisy, sigma, torch.full((len(x),), energy.classes))[0]
    else:
        shares = (-energies).softmax(1).view(len(x), -1, *[1] * (x.ndim - 1))
        of_all = torch.stack([energy.with_field(noisy, sigma, torch.full((len(x),), k))[0] for k in labels], 1)
        free = (shares * of_all).sum(1)
    weight = 1 + (level / float(energy.scale)) ** 2
    return weight * torch.stack([(noise - level * slope).square().mean() for slope in (field, free)])


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
