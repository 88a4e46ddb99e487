"""Training time until samples are good: `python benchmarks/quality.py [--seeds 0 1 2 3 4]` writes results/quality.json.

Ours is the recipe `digits` with four times its updates, which improves it on the validation split. torchebm trains with
its persistent contrastive divergence and its Langevin sampler, in overdamped steps of 0.1 at the same temperature.
Network, labels, noisy data, optimiser and averaging of weights are the same. The chains of torchebm change their class
with the batch, so its negatives are denoised with the marginal energy.

Samples are good if fresh and buffer chains have a smaller distance to held-out digits than samples of the best mixture,
in three evaluations in a row. Times are CPU times on one thread, without the evaluations. Between two evaluations, the
time grows by at least a tenth. A training that reaches the cap counts as the cap.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import torch
import tyro
from rivals import peer
from rows import Measured
from torch import Tensor

from energybased.conditions import tensors
from energybased.data import DataSet
from energybased.energy import Energy
from energybased.evaluation import Subject
from energybased.evaluation.frechet import judge_distance
from energybased.evaluation.mixtures import best_mixture
from energybased.evaluation.subject import SAMPLES
from energybased.recipes import EnergyRecipe, digits
from energybased.runs.judge import find_judge
from energybased.training import Loop, Run
from energybased.training.batches import as_batches
from energybased.training.ema import ema_init, ema_update
from energybased.training.optimizer import set_rate

CAP, EVERY, LOOKS = 600.0, 50, 3  # seconds; fewest updates between two evaluations; evaluations in a row
LATER = 1.1  # least factor of the time between two evaluations
UPDATES = 4800  # of ours
STEP = 0.1  # of torchebm's chains


class Enough(Exception):
    """The samples are good, or the cap is reached."""


class Watch:
    """Evaluates samples now and then, with the clock stopped."""

    def __init__(self, subject: Subject, good: float) -> None:
        self.subject, self.good, self.found = subject, good, CAP
        self.began, self.looking, self.since, self.seen, self.next = time.process_time(), 0.0, 0.0, 0, 0.0

    def look(self, pictures: Iterator[Tensor]) -> None:
        """Raises `Enough` if samples were good three times in a row. `found` is the time of the first of these."""
        started = time.process_time()
        now = started - self.began - self.looking
        if now >= CAP:
            raise Enough
        if now < self.next:
            return
        distances = [judge_distance(self.subject.judge, x, self.subject.test) for x in pictures]
        self.looking, self.next = self.looking + time.process_time() - started, LATER * now
        self.since = now if self.seen == 0 else self.since
        self.seen = self.seen + 1 if max(distances) < self.good else 0
        print(f"{now:.1f} s", [round(value, 1) for value in distances], flush=True)
        if self.seen == LOOKS:
            self.found = self.since
            raise Enough


def ours(recipe: EnergyRecipe, data: DataSet, watch: Watch) -> None:
    recipe = replace(recipe, checkpoint_every=EVERY)
    loop = Loop(recipe.parts(data), recipe.phases(data), data, recipe, data.domain, True)

    def pictures(state) -> Iterator[Tensor]:
        energy = copy.deepcopy(state.parts["energy"]).eval().requires_grad_(False)
        energy.load_state_dict(state.averages["energy"])
        model = recipe.model({"energy": energy}, data.spec)
        yield model.denoise(state.shards[0].objective["x"][:SAMPLES])
        yield model.sample(SAMPLES)

    run = Run.create("runs/quality", {}, overwrite=True)
    try:
        loop.fit(run, lambda state: watch.look(pictures(state)))
    finally:
        run.release()


def torchebm(recipe: EnergyRecipe, data: DataSet, watch: Watch) -> None:
    from torchebm.losses import ContrastiveDivergence
    from torchebm.samplers import LangevinDynamics

    def chains(energy: Energy) -> LangevinDynamics:
        return LangevinDynamics(peer(energy), step_size=0.5 * STEP**2, noise_scale=1.0)

    def pictures(energy: Energy, ends: Tensor) -> Iterator[Tensor]:
        """The newest negatives, and fresh chains of the sampler of torchebm, both denoised like ours."""
        model, classes = recipe.model({"energy": energy}, data.spec), torch.arange(SAMPLES) % data.classes
        start, steps = torch.rand(SAMPLES, *data.event), recipe.sampler.length
        yield replace(model, energy=model.marginal, conditions=(), fitted=None).denoise(ends)
        yield model.denoise(chains(energy).sample(x=start, n_steps=steps, model_kwargs={"y": classes}))

    energy, buffer = recipe.energy(data), recipe.buffer
    average, twin, ends, step = ema_init(energy), copy.deepcopy(energy).requires_grad_(False), torch.empty(0), 0
    settings = recipe.sampler.steps, True, buffer.capacity, 0, buffer.restart, 0.0
    loss, adam = ContrastiveDivergence(peer(energy), chains(energy), *settings), recipe.optimizer.build(energy)
    rng = torch.Generator().manual_seed(recipe.seed)
    batches = as_batches(data, recipe.batch_size, recipe.seed, data.domain)
    while True:
        batch = batches.next()
        x = data.domain.batch(batch.x, rng)
        value, negatives = loss(x + recipe.data_noise * torch.randn(x.shape, generator=rng), y=tensors(batch.y)[0])
        set_rate(adam, recipe.optimizer.rate(min(step / recipe.steps, 0.9), step))  # goes on at a low rate
        adam.zero_grad()
        value.backward()
        recipe.optimizer.clip(adam)
        adam.step()
        ema_update(average, energy, recipe.ema, step)
        step, ends = step + 1, torch.cat([negatives.detach(), ends])[:SAMPLES]
        if step % EVERY == 0:
            twin.load_state_dict(average)
            watch.look(pictures(twin, ends))


def main(seeds: tuple[int, ...] = (0, 1, 2, 3, 4)) -> None:
    torch.set_num_threads(1)
    found = Measured("quality", seeds)
    for seed in seeds:
        recipe = digits(steps=UPDATES, seed=seed)
        data, spent = recipe.load_data(), {}
        recipe = recipe.resolve(data)
        subject = Subject(recipe.model(recipe.parts(data), data.spec), data, find_judge(data), seed)
        good = judge_distance(subject.judge, best_mixture(subject)[0].sample(SAMPLES, subject.rng()), subject.test)
        print(seed, "the best mixture:", round(good, 1), flush=True)
        for train in (ours, torchebm):
            watch = Watch(subject, good)
            with suppress(Enough):
                train(recipe, data, watch)
            name = train.__name__
            spent[name] = watch.found
            protocol = f"CPU seconds until samples are good, at most {CAP:g}; median of the seeds"
            found.add(watch.found, protocol, watch.found, data="digits", system=name, metric="seconds")
        gain = spent["torchebm"] / spent["ours"]
        found.add(gain, "torchebm / ours; median of the seeds", 0.0, data="digits", system="ours", metric="speedup")
        found.write(median=True)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
