"""Settings of the training loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from energybased.errors import require
from energybased.training.optimizer import Adam, AnyOptimizer


@dataclass(frozen=True)
class Settings:
    """Settings of the loop beside parts, phases and data.

    Args:
        seed: of everything random.
        batch_size: examples an update.
        shards: number of parts that each batch is cut into, each with its own part of the replay buffer and its own
            random numbers. The result depends on it, and not on the processes that compute the shards. If not given,
            one for each process.
        data_noise: standard deviation of the Gaussian noise added to every batch, in the model's units.
        optimizer: settings of the optimisers; each part has its own.
        ema: decay of the average of weights that evaluation uses.
        checkpoint_every: steps between two checkpoints; the last step always makes one.
        history: number of past weights that the run keeps, a hundredth of the training apart up to its end.
        guard: "off" is the plain method: nothing is watched, nothing is rolled back.
        device: where parts and batches are: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1" or "mps".
    """

    seed: int = 0
    batch_size: int = 64
    shards: int | None = None
    data_noise: float = 0.0
    optimizer: AnyOptimizer = Adam()
    ema: float = 0.999
    checkpoint_every: int = 1000
    history: int = 0
    guard: Literal["on", "off"] = "on"
    device: str = "auto"

    def __post_init__(self) -> None:
        require(0 <= self.seed < 2**62, f"seed must be in 0 ... 2^62, got {self.seed}")
        require(self.batch_size >= 1, f"batch_size must be at least 1, got {self.batch_size}")
        require(self.shards is None or self.shards >= 1, f"shards must be at least 1, got {self.shards}")
        even = self.shards is None or self.batch_size % self.shards == 0
        require(even, f"a batch of {self.batch_size} rows cannot be cut into {self.shards} shards of one size")
        require(self.data_noise >= 0, f"data_noise must not be negative, got {self.data_noise}")
        require(0 <= self.ema < 1, f"ema must be in [0, 1), got {self.ema}")
        require(self.checkpoint_every >= 1, f"checkpoint_every must be at least 1, got {self.checkpoint_every}")
        require(0 <= self.history <= 100, f"history must be in 0 ... 100, got {self.history}")
        require(self.guard in ("on", "off"), f"guard is 'on' or 'off', got {self.guard!r}")
