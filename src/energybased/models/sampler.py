"""How an energy over data is sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from energybased.errors import require
from energybased.sampling import AnyKernel, Engine, Underdamped


@dataclass(frozen=True)
class Sampler:
    """The chains of training, and of sampling afterwards.

    Args:
        kernel: one transition.
        steps: transitions an update of training.
        length: transitions of a fresh chain when the trained model is sampled.
        denoise: how often the noise of the data is taken off the end of a chain; see `tasks.denoise`.
        dropout: run the chains of training with dropout on.
        engine: how chains are computed: step by step; compiled, which takes seconds to begin; or whichever a trial
            before training finds faster.
    """

    kernel: AnyKernel = Underdamped(0.3)
    steps: int = 20
    length: int = 500
    denoise: int = 1
    dropout: bool = False
    engine: Literal["auto", "eager", "compiled"] = "eager"

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"sampler.steps must be at least 1, got {self.steps}")
        require(self.length >= 1, f"sampler.length must be at least 1, got {self.length}")
        require(self.engine in ("auto", "eager", "compiled"), f"no such engine: {self.engine!r}")
        require(self.denoise >= 0, f"sampler.denoise must not be negative, got {self.denoise}")

    @property
    def resolved_engine(self) -> Engine:
        """The engine of the chains; "auto" is eager until a trial has decided."""
        return "compiled" if self.engine == "compiled" else "eager"
