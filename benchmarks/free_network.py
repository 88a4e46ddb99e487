"""The network without the energy: `python benchmarks/free_network.py RUN STEP` writes results/free_network.json.

Checkpoint STEP of a run that began with a denoiser is one of its first phase: its field need not be a gradient. It is
sampled by the flow as the energy is, with the same guidance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from rows import Measured, spent, trained
from torch import Tensor
from tyro.conf import Positional

import energybased as eb
from energybased.algebra import Composite, Rowwise
from energybased.energies.class_in_trunk import ClassInTrunk
from energybased.energies.noise_conditional import NoiseConditional
from energybased.energy import Energy
from energybased.errors import require
from energybased.models.noise_conditional import NoiseConditionalModel
from energybased.recipes import find_recipe
from energybased.runs.evaluate import subject_of, timed
from energybased.runs.load import run_of

METRICS = ("fd", "confidence", "fd_lite0")


class FieldAtLevel(Rowwise):
    """The field of an energy at a level of noise under classes y, in the place of its gradient."""

    def value_and_grad(self, x: Tensor, y: Any = None) -> tuple[Tensor, Tensor]:
        (sigma, label), energy = self.rows_of(x), self.terms[0]
        assert isinstance(energy, NoiseConditional)
        return x.new_zeros(len(x)), energy.with_field(x, sigma, label)[0]


class GuidedField(Composite):
    """w times a field under classes, minus w - 1 times one without."""

    def __init__(self, own: Energy, free: Energy, weight: float) -> None:
        super().__init__([own, free])
        self.weight = weight

    def rebuild(self, terms: list[Energy]) -> Energy:  # type: ignore[override]
        return GuidedField(terms[0], terms[1], self.weight)

    def value_and_grad(self, x: Tensor, y: Any = None) -> tuple[Tensor, Tensor]:
        (value, own), (_, free) = (term.value_and_grad(x) for term in self.terms)
        return value, self.weight * own - (self.weight - 1) * free


@dataclass(frozen=True)
class FieldModel(NoiseConditionalModel):
    """A model whose samples follow the field. The class must enter the trunk of its network."""

    def _path(self, n: int) -> Callable[[float], Energy]:
        label, none = torch.arange(n) % self.classes, torch.tensor([self.classes])

        def at(sigma: float) -> Energy:
            own, free = (FieldAtLevel(self._levels, torch.tensor([sigma]), y) for y in (label, none))
            return own if self.guidance == 1 else GuidedField(own, free, float(self.guidance))

        return at


def main(
    path: Annotated[Positional[Path], tyro.conf.arg(name="RUN")],
    step: Annotated[Positional[int], tyro.conf.arg(name="STEP")],
    /,
) -> None:
    run = run_of(path)
    now, subject = find_recipe(run.recipe["recipe"]), subject_of(run)
    settings: dict[str, Any] = vars(eb.load(path, step=step))
    trunk = isinstance(settings["levels"], ClassInTrunk)
    require(trunk, f"{path} has no class in the trunk, so there is no field without one")
    model = replace(FieldModel(**settings), guidance=now.guidance, flow_levels=now.flow_levels)  # type: ignore[attr-defined]
    subject = replace(subject, model=model)
    command = f"{trained(run)}, python benchmarks/free_network.py RUN {step}"
    found = Measured("free_network", [run.recipe["settings"]["seed"]], command)
    seconds = spent(run, step)
    words = {"data": subject.data.name, "system": f"{subject.system}, its denoiser", "split": "test"}
    found.add(seconds / 60, f"CPU time of the training up to update {step}", seconds, **words, metric="minutes")
    for metric in METRICS:
        for row in timed(metric, subject):
            found.add(row.value, row.protocol, row.seconds, **words, metric=row.metric)
        found.write()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
