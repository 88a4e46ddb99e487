"""Training of a rival of the picture tables, for some minutes of one thread."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from energybased.data import DataSet, Split
from energybased.objectives import Batch
from energybased.training import Adam
from energybased.training.batches import as_batches, prepared
from energybased.training.ema import ema_init, ema_update
from energybased.training.optimizer import set_rate

NOISE = 0.3  # that `mnist-conditional` adds to its data, in pixels of [0, 1]
LOOKS = 10  # at the validation split
HELD = 1000  # most validation pictures that are looked at
PLACE = torch.device("cpu")

Update = Callable[[Batch, float], None]  # a batch as it is stored, and the fraction of the time that is spent
Fault = Callable[[nn.Module], float]  # of a network on the validation split; less is better


class Learner:
    """A network, its optimiser, and the average of its weights.

    Args:
        network: learns.
        rate: learning rate of Adam, which rises over 100 updates and falls to zero along a cosine.
        decay: of the average, an update.
        beta1: decay of Adam's mean of gradients.
    """

    def __init__(self, network: nn.Module, rate: float, decay: float = 0.99, beta1: float = 0.9) -> None:
        self.network, self.decay, self.steps = network, decay, 0
        self.settings = Adam(lr=rate, beta1=beta1, clip_norm=5.0, schedule="cosine", warmup=100)
        self.adam, self.average = self.settings.build(network), ema_init(network)

    def step(self, loss: Tensor, progress: float) -> None:
        """One update along the gradient of the loss, when this fraction of the time is spent."""
        set_rate(self.adam, self.settings.rate(progress, self.steps))
        self.adam.zero_grad()
        loss.backward()
        self.settings.clip(self.adam)
        self.adam.step()
        ema_update(self.average, self.network, self.decay, self.steps)
        self.steps += 1


def train(
    learner: Learner, update: Update, fault: Fault, data: DataSet, minutes: float, seed: int, batch_size: int
) -> str:
    """Trains a network for some CPU minutes. It then has the averaged weights that do best on the validation split.

    They are looked at ten times, with the clock stopped.

    Returns:
        What was done, in words.
    """
    batches, limit = as_batches(data, batch_size, seed), 60 * minutes
    twin = copy.deepcopy(learner.network).eval().requires_grad_(False)
    spent, looks, least, best = 0.0, 0, math.inf, learner.average
    while spent < limit:
        began = time.process_time()
        update(batches.next(), spent / limit)
        spent += time.process_time() - began
        if spent >= limit * (looks + 1) / LOOKS:
            looks += 1
            twin.load_state_dict(learner.average)
            found = fault(twin)
            print(f"{spent:.0f} s, {learner.steps} updates: {found:.4f}", flush=True)
            if found < least:
                least, best = found, copy.deepcopy(learner.average)
    learner.network.load_state_dict(best)
    size = min(batch_size, len(data.train))
    return f"trained for {minutes:g} CPU minutes of one thread, {learner.steps} updates of {size} pictures"


def pictures(batch: Batch, rng: Generator, noise: float = 0.0) -> tuple[Tensor, Tensor]:
    """Dequantised pictures `(n, *event)` of a batch, with noise of this standard deviation, and their classes."""
    made = prepared(batch, rng, noise, PLACE, "the batch")
    assert isinstance(made.y, Tensor)
    return made.x, made.y


def held_out(data: DataSet, seed: int, noise: float = 0.0) -> tuple[Tensor, Tensor]:
    """Pictures of the validation split, as those of batches."""
    taken: Split = data.validation.take(slice(HELD))
    batch = Batch(taken.x, taken.y, None, data.domain)  # type: ignore[arg-type]
    return pictures(batch, torch.Generator().manual_seed(seed), noise)
