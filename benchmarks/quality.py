"""Time until digits are good: `python benchmarks/quality.py [--seeds 0 1 2 3 4]` writes results/quality.json.

Ours is the recipe `digits` with four times its updates, through which it gets better on the validation split.
torchebm's is its own persistent contrastive divergence and Langevin sampler on the same network, labels, noisy data,
optimiser and average of weights, in overdamped steps of 0.1 at the same temperature; its chains change their class with
the batch, so that the marginal takes the noise off its negatives.

Good: fresh and buffer chains are nearer to held-out digits than samples of the best mixture, at three looks in a row.
Time is the processor's, on one thread, without the looks, which come at a tenth more time than the last, or later; what
is not reached counts as the cap.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from rivals import peer
from rows import RESULTS, row, write
from torch import Tensor

from energybased.data import DataSet
from energybased.energy import Energy
from energybased.recipes import EnergyRecipe, digits
from energybased.runs.judge import load_judge
from energybased.runs.measure import SAMPLES
from energybased.runs.model import Model
from energybased.tasks.denoise import denoise
from energybased.training import Loop, Run
from energybased.training.ema import ema_init, ema_update
from energybased.training.optimizer import set_rate

COMMAND = "python benchmarks/quality.py"
CAP, EVERY, LOOKS = 600.0, 50, 3  # seconds; updates between two looks at the least; looks in a row
LATER = 1.1  # times the spent time of the last look
UPDATES = 4800  # of ours
STEP = 0.1  # of torchebm's chains


class Watch:
    """Looks at samples now and then, with the clock stopped."""

    def __init__(self, good: float, distance: Callable[[Tensor], float]) -> None:
        self.good, self.distance = good, distance
        self.began, self.looking, self.since, self.seen = time.process_time(), 0.0, 0.0, 0
        self.next = 0.0

    @property
    def spent(self) -> float:
        return time.process_time() - self.began - self.looking

    def look(self, pictures: Iterator[Tensor]) -> bool:
        """Whether the samples were good three times in a row; `since` is when they first were."""
        now, started = self.spent, time.process_time()
        if now < self.next:
            return False
        self.next = LATER * now
        found = [self.distance(x) for x in pictures]
        self.looking += time.process_time() - started
        self.since = now if self.seen == 0 else self.since
        self.seen = self.seen + 1 if max(found) < self.good else 0
        print(f"{now:.1f} s", [round(f, 1) for f in found], flush=True)
        return self.seen == LOOKS


class Enough(Exception):
    pass


def ours(recipe: EnergyRecipe, data: DataSet, watch: Watch) -> float:
    recipe = replace(recipe, checkpoint_every=EVERY)
    loop = Loop(recipe.parts(data), recipe.phases(), recipe.examples(data), recipe)

    def at_checkpoint(state) -> None:
        if watch.look(chains(state)):
            raise Enough

    def chains(state) -> Iterator[Tensor]:
        energy = copy.deepcopy(state.parts["energy"]).eval().requires_grad_(False)
        energy.load_state_dict(state.averages["energy"])
        model = Model(energy, recipe, data.event)
        yield model.denoise(state.objective["x"][:SAMPLES])
        yield model.sample(SAMPLES)

    run = Run.create("runs/quality", {}, overwrite=True)
    try:
        loop.fit(run, at_checkpoint)
    except Enough:
        return watch.since
    finally:
        run.release()
    return CAP


def torchebm(recipe: EnergyRecipe, data: DataSet, watch: Watch) -> float:
    from torchebm.losses import ContrastiveDivergence
    from torchebm.samplers import LangevinDynamics

    energy = recipe.energy(data)
    average, twin = ema_init(energy), copy.deepcopy(energy).requires_grad_(False)
    model = peer(energy)
    chains = LangevinDynamics(model, step_size=0.5 * STEP**2, noise_scale=1.0)
    loss = ContrastiveDivergence(
        model, chains, recipe.sampler.steps, True, recipe.buffer.capacity, 0, recipe.buffer.restart, 0.0
    )
    adam, (x, y) = recipe.optimizer.build(energy), recipe.examples(data)
    x, step = x.float() / 256 if x.dtype == torch.uint8 else x, 0
    classes = torch.arange(SAMPLES) % data.classes
    ends = torch.empty(0)
    while watch.spent < CAP:
        rows = torch.randint(len(x), (recipe.batch_size,))
        value, negatives = loss(x[rows] + recipe.data_noise * torch.randn(len(rows), *data.event), y=y[rows])
        set_rate(adam, recipe.optimizer.rate(min(step / recipe.steps, 0.9), step))  # goes on at a low rate
        adam.zero_grad()
        value.backward()
        recipe.optimizer.clip(adam)
        adam.step()
        ema_update(average, energy, recipe.ema, step)
        step += 1
        ends = torch.cat([negatives.detach(), ends])[:SAMPLES]
        if step % EVERY == 0:
            twin.load_state_dict(average)
            if watch.look(pictures(twin, recipe, data, ends, classes, model=peer(twin))):
                return watch.since
    return CAP


def pictures(energy: Energy, recipe, data, ends, classes, model) -> Iterator[Tensor]:
    """The newest negatives, and fresh chains of its sampler; the noise is taken off as ours is."""
    from torchebm.samplers import LangevinDynamics

    chains = LangevinDynamics(model, step_size=0.5 * STEP**2, noise_scale=1.0)
    start = torch.rand(SAMPLES, *data.event)
    fresh = chains.sample(x=start, n_steps=recipe.sampler.length, model_kwargs={"y": classes})
    bound = energy.given(classes)
    marginal = Model(energy, recipe, data.event).marginal
    yield denoise(marginal, ends, recipe.data_noise, recipe.sampler.denoise).clamp(0, 1)
    yield denoise(bound, fresh, recipe.data_noise, recipe.sampler.denoise).clamp(0, 1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    judge = load_judge(RESULTS / "judges" / "digits.safetensors")
    found: dict[str, list[float]] = {"ours": [], "torchebm": []}
    for seed in seeds:
        recipe = digits(steps=UPDATES, seed=seed)
        data = recipe.load_data()
        recipe, test = recipe.fitted(data), data.test.pixels()
        good = mixture(data, judge, seed)
        print(seed, "the best mixture:", round(good, 1), flush=True)
        for who, train in (("ours", ours), ("torchebm", torchebm)):
            found[who].append(train(recipe, data, Watch(good, lambda x: judge.distance(x, test))))  # noqa: B023
            print(seed, who, found[who][-1], flush=True)
        report(found, seeds[: len(found["torchebm"])])


def mixture(data: DataSet, judge, seed: int) -> float:
    """The distance of the best mixture's samples, as `measure` finds it."""
    from energybased.evaluation.mixtures import best_mixture, candidates

    mixtures = candidates(data.train.pixels(), data.train.y, seed)
    best = best_mixture(mixtures, lambda x: judge.distance(x, data.validation.pixels()), SAMPLES)
    return judge.distance(best.sample(SAMPLES), data.test.pixels())


def report(found: dict[str, list[float]], seeds: list[int]) -> None:
    rows = []
    for who, times in found.items():
        protocol = f"processor seconds to good digits, cap {CAP:g}; median of the seeds is the value"
        rows.append({**row(who, times, seeds, protocol, COMMAND, sum(times)), "value": statistics.median(times)})
    gains = [b / a for a, b in zip(found["ours"], found["torchebm"], strict=True)]
    gain = row("gain", gains, seeds, "torchebm / ours; median of the seeds is the value", COMMAND, 0.0)
    write("quality.json", [*rows, {**gain, "value": round(statistics.median(gains), 2)}])


if __name__ == "__main__":
    main()
