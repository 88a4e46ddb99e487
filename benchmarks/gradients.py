"""Counts gradients that samples of the prior need: `python benchmarks/gradients.py` writes results/gradients.json.

Rows "energies" count a gradient of an energy for one chain as one. Rows "networks" count each network of the energy.
The recipe is `mnist-latent-small`. A stage begins with annealed chains, whose number of levels depends on the training.
Their gradients are divided by the number of updates of the stage. First run `python benchmarks/systems.py latent
mnist-latent-small --systems stages --seeds 0`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import torch
from rows import Measured

from energybased import Energy, Pixels, load
from energybased.data import DataSpec
from energybased.latent import EnergyPrior, StagedPrior, StageRatio
from energybased.networks import BatchedMLP
from energybased.objectives import Batch
from energybased.recipes import LatentRecipe, find_recipe, system

RUN = "runs/mnist-latent-small-stages-0"
UPDATES, SPEC = 20, DataSpec((1, 28, 28), Pixels())


@contextmanager
def counted(owner: type, name: str) -> Iterator[Counter]:
    """Counts gradients of energies, and of the networks in them, during calls of one method."""
    total, inside = Counter(energies=0, networks=0), []
    method, forward, gradient = getattr(owner, name), BatchedMLP.forward, Energy.value_and_grad

    def watched(*given, **named):
        inside.append(True)
        try:
            return method(*given, **named)
        finally:
            inside.pop()

    def networks(self: BatchedMLP, x: torch.Tensor, which: slice = slice(None)) -> torch.Tensor:
        total["networks"] += bool(inside) * x.requires_grad * len(x) * len(range(self.count)[which])
        return forward(self, x, which)

    def energies(self: Energy, x: torch.Tensor, *given, **named):
        total["energies"] += bool(inside) * len(x)
        return gradient(self, x, *given, **named)

    patches = patch.object(owner, name, watched), patch.object(BatchedMLP, "forward", networks)
    with patches[0], patches[1], patch.object(Energy, "value_and_grad", energies):
        yield total


def staged(recipe: LatentRecipe, trained: StagedPrior, x: torch.Tensor, rng: torch.Generator) -> Counter:
    """Means over all updates of a run. Each stage is measured with the trained stages before it."""
    parts, means = recipe.build(SPEC), Counter(energies=0.0, networks=0.0)
    for k, phase in enumerate(recipe.phases(None)):
        parts["prior"].load_state_dict(trained.state_dict())
        parts["prior"].active[k:] = 0
        with counted(StagedPrior, "sample") as begin:
            state = phase.objective.init(parts, Batch(x), rng)
        with counted(StageRatio, "negatives") as total:
            for _ in range(UPDATES):
                state = phase.objective.step(parts, state, Batch(x), rng).state
        for what in means:
            means[what] += phase.steps / recipe.steps * (begin[what] / phase.steps + total[what] / UPDATES)
    return means


def lebm(recipe: LatentRecipe, x: torch.Tensor, rng: torch.Generator) -> Counter:
    parts, (phase,) = recipe.build(SPEC), recipe.phases(None)
    state = phase.objective.init(parts, Batch(x), rng)
    with counted(EnergyPrior, "sample") as total:
        for _ in range(UPDATES):
            state = phase.objective.step(parts, state, Batch(x), rng).state
    return Counter(dict.fromkeys(total, total["energies"] / UPDATES))  # its energy has one network


def main() -> None:
    began, rng = time.perf_counter(), torch.Generator().manual_seed(0)
    recipe = find_recipe("mnist-latent-small")
    chains = replace(recipe.posterior, steps=1, engine="eager")  # their gradients are not counted
    recipe = replace(recipe, posterior=chains)
    x = torch.rand(recipe.batch_size, *SPEC.event, generator=rng)
    counts = {"stages": staged(recipe, load(RUN).prior, x, rng), "lebm": lebm(system("lebm", recipe), x, rng)}
    found = Measured("gradients")
    for name, kind in ((name, kind) for name in counts for kind in ("energies", "networks")):
        protocol = f"gradients of {kind} of the prior per update, for samples of the prior; mean of {UPDATES} updates"
        fields = {"data": "mnist", "system": name, "metric": "gradients", "kind": kind}
        found.add(counts[name][kind], protocol, time.perf_counter() - began, **fields)
    found.write()


if __name__ == "__main__":
    main()
