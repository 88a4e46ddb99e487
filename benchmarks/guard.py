"""Faults, with the guard on and off: `python benchmarks/guard.py` writes results/guard.json."""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import time
from dataclasses import dataclass, replace

import torch
from rows import row, write
from torch import nn

from energybased.data import load_data
from energybased.energies import Tilted
from energybased.objectives import ContrastiveDivergence
from energybased.recipes import digits
from energybased.runs.judge import train_judge
from energybased.sampling import sample
from energybased.tasks.denoise import denoise
from energybased.training import Loop, Phase, Run


class SquaredReLU(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x, y):
        return self.module(x, y).relu().square()


@dataclass(frozen=True)
class Poisoned(ContrastiveDivergence):
    """Half of the replay buffer is overwritten, once in the life of the process, with values far outside the data."""

    at: int = 0

    def step(self, parts, state, batch, rng):
        calls.append(1)
        if len(calls) == self.at:
            state["x"][::2] = 30.0
        return super().step(parts, state, batch, rng)


calls: list[int] = []
FAULTS = ("none", "learning rate x 100", "squared-ReLU energy", "buffer poisoned once")


def train(fault: str, guard: str, seed: int, steps: int, data):
    recipe = digits(seed=seed, steps=steps, guard=guard).fitted(data)
    energy = recipe.energy(data)
    torch.manual_seed(seed)
    if fault == "squared-ReLU energy":
        network = SquaredReLU(recipe.network.build(data.event, recipe.classes))
        energy = Tilted.fit(data.train.pixels(), recipe.data_noise, network)
    if fault == "learning rate x 100":
        recipe = replace(recipe, optimizer=replace(recipe.optimizer, lr=100 * recipe.optimizer.lr))
    (phase,) = recipe.phases()
    if fault == "buffer poisoned once":
        calls.clear()
        old = phase.objective
        poisoned = Poisoned(old.kernel, old.steps, old.buffer, old.energy_l2, classes=old.classes, at=steps // 2)
        phase = Phase(poisoned, steps)
    name = f"runs/guard/{fault.replace(' ', '-')}-{guard}-{seed}"
    loop = Loop({"energy": energy}, [phase], recipe.examples(data), recipe)
    run = Run.create(name, {}, overwrite=True)
    state = loop.fit(run)
    run.release()
    energy.load_state_dict(state.averages["energy"])
    rollbacks = [line for line in run.lines("events.jsonl") if line["event"] == "rollback"]
    return recipe, energy.eval(), len(rollbacks), state.counters.stopped


def distance(recipe, energy, data, judge, seed):
    """FD of fresh chains; infinite if they do not end in finite numbers."""
    rng = torch.Generator().manual_seed(seed)
    start, energy = torch.rand((1000, *data.event), generator=rng), energy.given(torch.arange(1000) % recipe.classes)
    try:
        x = sample(energy, start, recipe.sampler.kernel, recipe.sampler.length, rng).x
    except Exception as error:  # a lost energy is a result here
        print(f"    {error}")
        return math.inf
    x = denoise(energy, x, recipe.data_noise).clamp(0, 1)
    return judge.distance(x, data.test.pixels()) if bool(x.isfinite().all()) else math.inf


def one(job: tuple[str, str, int, int]):
    """One run with one fault: its distance, what the guard did, and seconds; on one thread."""
    fault, guard, seed, steps = job
    torch.set_num_threads(1)
    began, data = time.monotonic(), load_data("digits")
    recipe, energy, rollbacks, stopped = train(fault, guard, seed, steps, data)
    value = distance(recipe, energy, data, train_judge(out=f"runs/guard/judge-{os.getpid()}"), seed)
    note = f"{rollbacks} rollbacks" + (f", stopped: {stopped}" if stopped else "")
    print(fault, guard, seed, round(value, 1), note, flush=True)
    return value, note, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=digits().steps)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    pairs = [(fault, guard) for fault in FAULTS for guard in ("on", "off") if (fault, guard) != ("none", "off")]
    jobs = [(*pair, seed, options.steps) for pair in pairs for seed in options.seeds]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = dict(zip(jobs, pool.map(one, jobs, chunksize=1), strict=True))
    command, rows = f"python benchmarks/guard.py --steps {options.steps}", []
    for fault, guard in pairs:
        results = [found[fault, guard, seed, options.steps] for seed in options.seeds]
        healthy = [found["none", "on", seed, options.steps][0] for seed in options.seeds]
        values = [min(value, 1e6) for value, _, _ in results]
        ratios = [value / base for value, base in zip(values, healthy, strict=True)]
        protocol = f"FD of fresh chains over the healthy run's of the same seed, {options.steps} updates, guard {guard}"
        more = {"fd": [round(value, 2) for value in values], "events": [note for _, note, _ in results]}
        seconds = sum(took for _, _, took in results)
        rows.append(row(f"{fault}, guard {guard}", ratios, options.seeds, protocol, command, seconds, **more))
    write("guard.json", rows)


if __name__ == "__main__":
    main()
