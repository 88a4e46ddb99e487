"""Updates over levels of noise: `python benchmarks/level_updates.py RECIPE` writes results/level_updates.json.

Times an update of the denoiser, of the energy, and of the energy that is distilled, as the recipe trains them, with
classes and without, on random numbers of the shape of the data, on one thread. The share of the matrix rate is what an
update computes in products and convolutions, over what products of large matrices in float32 reach in the same time. No
other program may run at the same time.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace

import torch
from rows import Measured
from torch.utils.flop_counter import FlopCounterMode

from energybased.data import DataSet
from energybased.objectives import Batch
from energybased.objectives.objective import Objective
from energybased.recipes import find_recipe

UPDATES, WARMUP = 10, 2
SIDE = 2048  # of the matrices whose products give the matrix rate


def matrix_rate() -> float:
    """Floating-point operations a second in a product of matrices of float32."""
    a, times = torch.randn(SIDE, SIDE), list[float]()
    for _ in range(UPDATES):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * SIDE**3 / statistics.median(times)


def measured(objective: Objective, name: str, data: DataSet, conditional: bool) -> tuple[float, int]:
    """The median time of an update, with the step of the optimiser, and its operations in products and convolutions."""
    recipe = replace(find_recipe(name), conditional=conditional)
    parts = recipe.parts(data)
    optimizer = recipe.optimizer.build(parts["energy"])
    rng, n = torch.Generator().manual_seed(0), recipe.batch_size
    x, y = torch.rand(n, *data.event, generator=rng), torch.randint(10, (n,), generator=rng)
    batch = Batch(x, y if conditional else None)
    state, times = objective.init(parts, batch, rng), list[float]()

    def update() -> None:
        result = objective.step(parts, state, batch, rng)
        optimizer.zero_grad()
        result.losses["energy"].backward()
        recipe.optimizer.clip(optimizer)
        optimizer.step()

    with FlopCounterMode(display=False) as counter:
        update()
    for _ in range(WARMUP + UPDATES):
        began = time.perf_counter()
        update()
        times.append(time.perf_counter() - began)
    return statistics.median(times[WARMUP:]), counter.get_total_flops()


def main(name: str) -> None:
    torch.set_num_threads(1)
    recipe = find_recipe(name)
    rate = matrix_rate()
    data, command = recipe.load_data(), f"python benchmarks/level_updates.py {name}"
    found = Measured("level_updates", [0], command)
    without = replace(recipe, objective=replace(recipe.objective, cross_entropy=0.0))  # type: ignore[attr-defined]
    for conditional, classes in ((True, "classes"), (False, "no classes")):
        own = recipe if conditional else without
        denoiser, distillation = (phase.objective for phase in own.phases(data))
        plain = 0.0
        for objective in (denoiser, own.objective, distillation):  # type: ignore[attr-defined]
            spent, operations = measured(objective, name, data, conditional)
            plain = plain or spent
            told = f"one thread, batches of {recipe.batch_size}, median of {UPDATES} updates, {classes}"
            fields = {"data": data.name, "system": name, "variant": f"{type(objective).__name__}, {classes}"}
            found.add(recipe.batch_size / spent, told, spent, **fields, metric="examples_per_second")
            found.add(spent / plain, f"{told}, as a multiple of Denoising", spent, **fields, metric="update_ratio")
            share, words = operations / spent / rate, f"{told}; products of matrices reach {rate / 1e9:.0f} GFLOP/s"
            found.add(share, words, spent, **fields, metric="matrix_rate_share")
    found.write()


if __name__ == "__main__":
    main(sys.argv[1])
