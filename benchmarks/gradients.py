"""Gradients of the prior's energy for its samples: `python benchmarks/gradients.py` writes results/gradients.json.

Counted, not timed: one is one chain's gradient of one energy, whatever the networks in it; another row counts networks.
The recipe is MNIST's; that a stage begins with annealed chains, whose levels depend on what was learned, is shared out
over its updates: `python benchmarks/latent.py mnist-latent-small --systems stages --seeds 0` must have been run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from rows import row, write

from energybased import Energy
from energybased.latent import LatentStage, StagedPrior
from energybased.latent.short_run import ShortRun
from energybased.networks import BatchedMLP
from energybased.objectives import Batch
from energybased.recipes import LebmRecipe, StagedRecipe, find_recipe
from energybased.recipes.systems import system
from energybased.runs.model import load_latent

COMMAND = "python benchmarks/gradients.py"
RUN = Path("runs/mnist-latent-small-stages-0")
UPDATES, EVENT = 20, (1, 28, 28)


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """Counts gradients of energies, and the networks in them."""
    total, asked, graded = {"energies": 0, "networks": 0}, BatchedMLP.forward, Energy.value_and_grad

    def networks(self: BatchedMLP, x: torch.Tensor, which: slice = slice(None)) -> torch.Tensor:
        total["networks"] += x.requires_grad * len(x) * len(range(self.count)[which])
        return asked(self, x, which)

    def energies(self: Energy, x: torch.Tensor, *given, **named):
        total["energies"] += len(x)
        return graded(self, x, *given, **named)

    with patch.object(BatchedMLP, "forward", networks), patch.object(Energy, "value_and_grad", energies):
        yield total


def sampling(owner: type, name: str, total: dict[str, int]):
    """Counts what one method alone asks for, and leaves the rest out."""
    method = getattr(owner, name)

    def alone(*given, **named):
        with counted() as inside:
            made = method(*given, **named)
        for what, value in inside.items():
            total[what] += value
        return made

    return patch.object(owner, name, alone)


def staged(recipe: StagedRecipe, trained: StagedPrior, x: torch.Tensor, rng: torch.Generator) -> dict[str, float]:
    """Means over all updates of a run; before each stage, the stages before it are as that run left them."""
    parts, means = recipe.build(EVENT), {"energies": 0.0, "networks": 0.0}
    prior = parts["prior"]
    assert isinstance(prior, StagedPrior)
    for k, phase in enumerate(recipe.phases()):
        assert isinstance(phase.objective, LatentStage) and phase.objective.ratio is not None and phase.steps
        prior.load_state_dict(trained.state_dict())
        prior.active[k:] = 0
        begin, total = {"energies": 0, "networks": 0}, {"energies": 0, "networks": 0}
        with sampling(StagedPrior, "sample", begin):
            state = phase.objective.init(parts, x, rng)
        with sampling(type(phase.objective.ratio), "negatives", total):
            for _ in range(UPDATES):
                state = phase.objective.step(parts, state, Batch(x), rng).state
        for what in means:
            means[what] += phase.steps / recipe.steps * (begin[what] / phase.steps + total[what] / UPDATES)
    return means


def lebm(recipe: LebmRecipe, x: torch.Tensor, rng: torch.Generator) -> dict[str, float]:
    parts, total = recipe.build(EVENT), {"energies": 0, "networks": 0}
    (phase,) = recipe.phases()
    state = phase.objective.init(parts, x, rng)
    with sampling(ShortRun, "draw", total):
        for _ in range(UPDATES):
            state = phase.objective.step(parts, state, Batch(x), rng).state
    return {what: value / UPDATES for what, value in total.items()}


def main() -> None:
    began, rng = time.perf_counter(), torch.Generator().manual_seed(0)
    recipe = find_recipe("mnist-latent-small")
    assert isinstance(recipe, StagedRecipe)
    recipe = replace(recipe, posterior=replace(recipe.posterior, steps=1, engine="eager"))  # not what is counted
    other = system("lebm", recipe)
    assert isinstance(other, LebmRecipe)
    x = torch.rand(recipe.batch_size, *EVENT, generator=rng)
    found = {"stages": staged(recipe, load_latent(RUN).prior, x, rng), "lebm": lebm(other, x, rng)}
    seconds = time.perf_counter() - began
    rows = [
        row(f"{name}: {what}", [value], [0], PROTOCOLS[what], COMMAND, seconds)
        for name, values in found.items()
        for what, value in values.items()
    ]
    write("gradients.json", rows)


PROTOCOLS = {
    "energies": f"gradients of the prior's energy, one a chain, an update; counted over {UPDATES} of each stage",
    "networks": f"the same, a network each; counted over {UPDATES} updates of each stage",
}


if __name__ == "__main__":
    main()
